"""Numbers and times as people read them."""

from __future__ import annotations

from datetime import UTC, datetime

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def in_bytes(count: float) -> str:
    """A size, such as 1.5 MiB."""
    unit = 0
    while count >= 1024 and unit < len(_UNITS) - 1:
        count, unit = count / 1024, unit + 1
    return f"{count:.0f} {_UNITS[unit]}" if unit == 0 or count >= 100 else f"{count:.1f} {_UNITS[unit]}"


def moment(time: datetime) -> str:
    """A time to the minute, in UTC."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M}"


def duration(seconds: float) -> str:
    """A short time with a fitting unit."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} µs"
    return f"{seconds * 1e3:.1f} ms" if seconds < 1 else f"{seconds:.1f} s"


def discrepancy(mmd2: float) -> str:
    """A squared MMD with two figures that count."""
    return "0" if mmd2 == 0 else f"{mmd2:.1e}" if mmd2 < 1e-3 else f"{mmd2:.4f}"


def share(part: float) -> str:
    """A share of one as a percentage."""
    return f"{100 * part:.0f} %"


def plain(number: float) -> str:
    """A number without more figures than anybody reads."""
    return f"{number:.5g}"

"""Time and candidates scored against the number of learnwares, on logarithmic axes."""

from __future__ import annotations

from collections.abc import Mapping
from math import log10
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

_WIDTH, _HEIGHT, _EDGE = 900, 600, 80
_SERIES = (("p50_ms", "p50, ms", "#1f77b4"), ("p99_ms", "p99, ms", "#9ecae1"), ("candidates", "scored", "#d62728"))
_X = (3.0, 6.0)
_Y = (0.0, 4.0)


def draw(figures: Mapping[str, Any], path: Path) -> None:
    """Draw the figures of a benchmark."""
    image = Image.new("RGB", (_WIDTH, _HEIGHT), "white")
    pen = ImageDraw.Draw(image)
    _draw_axes(pen)
    for number, (name, label, colour) in enumerate(_SERIES):
        points = [_place(float(size[1:]), value) for size, value in figures[name].items()]
        pen.line(points, fill=colour, width=3)
        for x, y in points:
            pen.ellipse((x - 4, y - 4, x + 4, y + 4), fill=colour)
        pen.text((_EDGE + 20, 20 + 18 * number), label, fill=colour)
    image.save(path)


def _draw_axes(pen: ImageDraw.ImageDraw) -> None:
    for exponent in range(int(_X[0]), int(_X[1]) + 1):
        x, _ = _place(10.0**exponent, 1.0)
        pen.line((x, _EDGE, x, _HEIGHT - _EDGE), fill="#dddddd")
        pen.text((x - 8, _HEIGHT - _EDGE + 8), f"1e{exponent}", fill="black")
    for exponent in range(int(_Y[0]), int(_Y[1]) + 1):
        _, y = _place(10.0 ** _X[0], 10.0**exponent)
        pen.line((_EDGE, y, _WIDTH - _EDGE, y), fill="#dddddd")
        pen.text((_EDGE - 40, y - 6), f"1e{exponent}", fill="black")
    pen.text((_WIDTH // 2 - 40, _HEIGHT - _EDGE + 30), "learnwares", fill="black")


def _place(x: float, y: float) -> tuple[float, float]:
    from_left = (log10(x) - _X[0]) / (_X[1] - _X[0])
    from_below = (log10(max(y, 1.0)) - _Y[0]) / (_Y[1] - _Y[0])
    return _EDGE + from_left * (_WIDTH - 2 * _EDGE), _HEIGHT - _EDGE - from_below * (_HEIGHT - 2 * _EDGE)

"""``python -m services.console``."""

import sys

from learndock.serving import telemetry
from learndock.serving.config import load
from learndock.serving.process import wait_for_signal
from services.console.config import Settings
from services.console.wiring import build


def main() -> None:
    """Serve until told to stop."""
    settings = load(Settings)
    telemetry.configure_logging()
    console = build(settings)
    console.start()
    print(f"learndock console at {console.url}", file=sys.stderr, flush=True)
    wait_for_signal()
    console.stop(settings.drain_seconds)


if __name__ == "__main__":
    main()

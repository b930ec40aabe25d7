"""``python -m services.allinone``: a whole dock in one process."""

from __future__ import annotations

import argparse
from pathlib import Path
import sys

from learndock.errors import LearndockError
from learndock.serving import telemetry
from learndock.serving.process import take_short_turns, wait_for_signal
from services.allinone import console
from services.allinone.dock import DEFAULT_LISTEN, start


def main() -> int:
    """Run a dock until it is told to stop."""
    parser = argparse.ArgumentParser(prog="python -m services.allinone", description=__doc__)
    parser.add_argument(
        "--data-dir", type=Path, default=Path("dock"), help="folder that holds everything (default: dock)"
    )
    parser.add_argument("--listen", default=DEFAULT_LISTEN, help=f"address to serve at (default: {DEFAULT_LISTEN})")
    parser.add_argument(
        "--environments-dir", type=Path, help="folder of installed requirements, which several docks may share"
    )
    parser.add_argument(
        "--console-listen",
        default=console.DEFAULT_LISTEN,
        help=f"address of the web pages, empty for none (default: {console.DEFAULT_LISTEN})",
    )
    arguments = parser.parse_args()
    take_short_turns()
    telemetry.configure_logging(arguments.data_dir / "log.jsonl")
    try:
        dock = start(
            arguments.data_dir,
            listen=arguments.listen,
            environments_dir=arguments.environments_dir,
            console_listen=arguments.console_listen,
        )
    except LearndockError as error:
        print(f"learndock: {error.message}", file=sys.stderr)
        return 1
    print(f"Learndock is ready at {dock.address}")
    if dock.console_url:
        print(f"Its console is at {dock.console_url}")
    print(f"Your admin token is in {dock.admin_token_file}; make others with `learndock token create`.")
    print("Stop it with Ctrl-C.", flush=True)
    wait_for_signal()
    dock.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())

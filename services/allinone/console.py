"""The console of an all-in-one dock, beside its services and calling them like any client."""

from __future__ import annotations

from pathlib import Path
import sys

from pydantic import SecretStr

from learndock.errors import Unavailable
from services.allinone.secret_file import secret_in
from services.console import wiring
from services.console.config import Settings
from services.console.web_server import WebServer

DEFAULT_LISTEN = "127.0.0.1:7457"


def start(data_dir: Path, dock_address: str, listen: str) -> WebServer | None:
    """Serve the web pages at `listen`; None, and a line on standard error, where that address is in use.

    A dock is worth having without its pages, and several docks on one machine have but one default address for them.
    """
    settings = Settings(
        listen=listen,
        dock_address=dock_address,
        secret=SecretStr(secret_in(data_dir / "console-secret")),
        data_dir=data_dir / "console",
    )
    try:
        console = wiring.build(settings)
    except Unavailable as error:
        print(f"learndock: {error.message} The dock runs without its web pages.", file=sys.stderr)
        return None
    console.start()
    return console

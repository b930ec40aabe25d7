"""Commands that lead to a dock: up, login, register."""

from __future__ import annotations

from pathlib import Path
import signal
import subprocess
import sys
import time
from typing import Annotated

import typer

from learndock.cli.failures import ExitCode, say
from learndock.cli.options import Json, target
from learndock.cli.output import emit_json, print_line
from learndock.client import credentials
from learndock.client.credentials import Credentials
from learndock.client.dock import Dock

_POLL_SECONDS = 0.1


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog="Example: learndock up --data-dir ~/dock")(up)
    app.command(epilog="Example: learndock --address grpcs://dock.example.org:443 login")(login)
    app.command(epilog="Example: learndock register ada --email ada@example.org", name="register")(register_account)


def up(
    *,
    data_dir: Annotated[Path, typer.Option(help="Folder that holds everything.")] = Path("dock"),
    listen: Annotated[str, typer.Option(help="Address on this machine; port 0 takes a free one.")] = "127.0.0.1:7450",
    console: Annotated[str, typer.Option(help="Address of its web pages; empty for none.")] = "127.0.0.1:7457",
    json: Json = False,
) -> None:
    """Start a dock on this machine, all services in one process; you are signed in to it as its admin."""
    address_file, token_file = data_dir / "address", data_dir / "admin-token"
    address_file.unlink(missing_ok=True)
    command = [sys.executable, "-m", "services.allinone", "--data-dir", str(data_dir), "--listen", listen]
    command += ["--console-listen", console]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603  # our own module
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    try:
        _wait_for(address_file, process)
        if process.poll() is None:
            _announce(
                address_file.read_text().strip(),
                (data_dir / "console-address").read_text().strip(),
                token_file,
                json=json,
            )
        code = process.wait()
    except KeyboardInterrupt:  # the dock got it too, and drains
        code = process.wait()
    raise typer.Exit(ExitCode.OK if code == 0 else ExitCode.REFUSED)


def login(
    context: typer.Context,
    *,
    json: Json = False,
) -> None:
    """Check a token and store it with the address, for you only. Asks for the token, or reads it from a pipe."""
    named = target(context)
    address = named.address or typer.prompt("Address of the dock", err=True)
    token = named.token or _ask_secret("API token")
    ca_file = str(named.ca_file.resolve()) if named.ca_file else ""
    with Dock(address, token, ca_file=ca_file or None) as dock:
        user = dock.whoami()
    path = credentials.credentials_file()
    credentials.write(Credentials(address, token, ca_file), path)
    if json:
        emit_json({"address": address, "user": user, "path": path})
    else:
        print_line(f"You are {user.name} ({user.role}) at {address}; stored in {path}.")


def register_account(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Your name there: 2 to 64 letters, digits, dots, dashes, underscores.")],
    *,
    email: Annotated[str, typer.Option(help="Your address; without, the one that was invited.")] = "",
    request: Annotated[
        bool, typer.Option("--request", help="Only have an invitation sent to --email, if its domain is admitted.")
    ] = False,
    json: Json = False,
) -> None:
    """Make an account with an invitation's code, and sign in with it. Asks for the code, or reads it from a pipe."""
    named = target(context)
    address = named.address or typer.prompt("Address of the dock", err=True)
    with Dock(address, "", ca_file=named.ca_file) as dock:
        if request:
            dock.request_invitation(email)
            print_line(f"If {email} is admitted, an invitation is on its way.")
            return
        made = dock.register(_ask_secret("Code of the invitation"), name, email=email)
    path = credentials.credentials_file()
    credentials.write(Credentials(address, made.token.secret, str(named.ca_file or "")), path)
    if json:
        emit_json({"address": address, "user": made.user, "path": path})
    else:
        print_line(f"You are {made.user.name} ({made.user.role}) at {address}; your token is in {path}.")


def _wait_for(address_file: Path, process: subprocess.Popen[bytes]) -> None:
    while not address_file.exists() and process.poll() is None:
        time.sleep(_POLL_SECONDS)


def _announce(address: str, console: str, token_file: Path, *, json: bool) -> None:
    path = credentials.credentials_file()
    credentials.write(Credentials(address, token_file.read_text().strip()), path)
    if json:
        emit_json({"address": address, "console": console, "token_file": token_file, "path": path})
        sys.stdout.flush()
        return
    print_line(f"The dock is ready at {address}.")
    if console:
        print_line(f"In a browser: {console}")
    print_line(f"You are its admin here ({path}); the admin's token is in {token_file}.")
    print_line("For somebody else: `learndock user create NAME`, then `learndock token create --user NAME`.")
    print_line("Stop it with Ctrl-C.")
    sys.stdout.flush()


def _ask_secret(what: str) -> str:
    if sys.stdin.isatty():
        return str(typer.prompt(what, hide_input=True, err=True)).strip()
    secret = sys.stdin.readline().strip()
    if not secret:
        say(f"Missing: {what}.", "Give it on standard input; a token also with --token-file.")
        raise typer.Exit(ExitCode.USAGE)
    return secret

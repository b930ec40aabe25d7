"""The command's entry: groups of commands, global options, and failures turned into exit codes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
import sys
from typing import Annotated

import typer

from learndock.cli import (
    accounts,
    administration,
    identification,
    keeping,
    learnwares,
    quotas,
    reference,
    reuse,
    specifications,
    specifying,
    start,
    validation,
)
from learndock.cli.failures import ExitCode, exit_code, report, say
from learndock.cli.options import Target
from learndock.errors import LearndockError

_EPILOG = (
    "Exit codes: 0 done; 1 the dock says no; 2 wrong usage; 3 the dock cannot be reached; 4 a package was rejected, "
    "a validation failed, or fsck found something; 130 interrupted."
)

app = typer.Typer(
    name="learndock",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    epilog=_EPILOG,
    rich_markup_mode=None,
)

for module in (start, learnwares, reference, validation, specifying, identification, reuse, administration, keeping):
    module.register(app)
app.add_typer(specifications.app, name="specification")
app.add_typer(accounts.tokens, name="token")
app.add_typer(accounts.users, name="user")
app.add_typer(accounts.invitations, name="invitation")
app.add_typer(quotas.quotas, name="quota")


@app.callback()
def choose_dock(
    context: typer.Context,
    *,
    address: Annotated[
        str | None,
        typer.Option(
            help="Address of the dock, host:port or grpcs://host:port. Default: LEARNDOCK_ADDRESS, else what"
            " `learndock login` or `learndock up` stored."
        ),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="File that holds the API token. Default: LEARNDOCK_TOKEN, else what was stored.",
        ),
    ] = None,
    ca_file: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Certificate authorities to trust, for TLS.")
    ] = None,
) -> None:
    """Submit, validate, find and reuse learnwares."""
    token = token_file.read_text(encoding="utf-8").strip() if token_file else None
    context.obj = Target(address, token, ca_file)


def execute(arguments: Sequence[str]) -> int:
    """Run a command line; returns its exit code."""
    try:
        app(args=list(arguments), prog_name="learndock")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else ExitCode.REFUSED
    except LearndockError as error:
        report(error)
        return exit_code(error)
    except ModuleNotFoundError as error:
        say(f"This needs {error.name}, which is not installed.", 'Install it with: pip install "learndock[all]"')
        return ExitCode.USAGE
    except OSError as error:
        say(str(error), "Check the file and its folder.")
        return ExitCode.USAGE
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    return ExitCode.OK


def run() -> None:
    """Entry point of the `learndock` command."""
    sys.exit(execute(sys.argv[1:]))


if __name__ == "__main__":
    run()

"""Where the dock is and who is calling: from arguments, the environment, or the user's credentials file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import json
import os
from pathlib import Path

import platformdirs

from learndock.errors import InvalidInput, Reason

ADDRESS_VARIABLE = "LEARNDOCK_ADDRESS"
TOKEN_VARIABLE = "LEARNDOCK_TOKEN"  # noqa: S105  # a name, no secret
CA_FILE_VARIABLE = "LEARNDOCK_CA_FILE"
CERTIFICATE_FILE_VARIABLE = "LEARNDOCK_CERTIFICATE_FILE"
KEY_FILE_VARIABLE = "LEARNDOCK_KEY_FILE"


@dataclass(frozen=True, repr=False)
class Credentials:
    """An address and a token; the token never shows in a repr.

    Attributes
    ----------
    address
        As `learndock.client.channel.Addresses.parse` reads it.
    token
        Secret of an API token; empty for an anonymous caller.
    ca_file
        File of the certificate authorities to trust; empty for the usual ones.
    """

    address: str
    token: str = ""
    ca_file: str = ""

    def __repr__(self) -> str:
        return f"Credentials(address={self.address!r}, token={'***' if self.token else ''!r})"


def credentials_file() -> Path:
    """Path of the user's credentials file, which `learndock up` and `learndock login` write."""
    return platformdirs.user_config_path("learndock") / "credentials.json"


def resolve(
    address: str | None = None,
    token: str | None = None,
    ca_file: str | None = None,
    *,
    environment: Mapping[str, str] = os.environ,
) -> Credentials:
    """What is given, else what the environment says, else what was stored.

    A stored token belongs to the stored address: it is not sent to another one. An empty token that is given is that of
    an anonymous caller.

    Raises
    ------
    InvalidInput
        No address is known, or the credentials file is damaged.
    """
    given = address or environment.get(ADDRESS_VARIABLE)
    stored = read(credentials_file())
    if given is None and stored is None:
        raise InvalidInput(
            Reason.FIELD_INVALID,
            f"No dock is known: give an address, set {ADDRESS_VARIABLE}, or run `learndock up` or `learndock login`.",
            field="address",
        )
    same = stored is not None and (given is None or given == stored.address)
    known = stored if stored is not None and same else Credentials(address=given or "")
    return Credentials(
        address=known.address,
        token=(environment.get(TOKEN_VARIABLE) or known.token) if token is None else token,
        ca_file=ca_file or environment.get(CA_FILE_VARIABLE) or known.ca_file,
    )


def shown_certificate(
    certificate_file: str | os.PathLike[str] | None,
    key_file: str | os.PathLike[str] | None,
    *,
    environment: Mapping[str, str] = os.environ,
) -> tuple[Path | None, Path | None]:
    """Files of the certificate to show and of its key: what is given, else what the environment says.

    Raises
    ------
    InvalidInput
        Only one of the two is known.
    """
    certificate = certificate_file or environment.get(CERTIFICATE_FILE_VARIABLE)
    key = key_file or environment.get(KEY_FILE_VARIABLE)
    if bool(certificate) != bool(key):
        raise InvalidInput(Reason.FIELD_INVALID, "A certificate and its key belong together.", field="key_file")
    return Path(certificate) if certificate else None, Path(key) if key else None


def read(path: Path) -> Credentials | None:
    """The credentials in a file; None where there is none.

    Raises
    ------
    InvalidInput
        The file is not what `write` writes.
    """
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        return Credentials(address=fields["address"], token=fields["token"], ca_file=fields.get("ca_file", ""))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInput(
            Reason.FIELD_INVALID, f"{path} is damaged; run `learndock login` again.", field="credentials"
        ) from error


def write(credentials: Credentials, path: Path) -> None:
    """Store credentials so that only their owner can read them."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fields = {"address": credentials.address, "token": credentials.token, "ca_file": credentials.ca_file}
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    # The mode is set at creation: there is no moment at which others can read the token.
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(fields, file)
    draft.replace(path)

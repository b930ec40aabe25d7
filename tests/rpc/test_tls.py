"""TLS and mutual TLS between services and for clients, with certificates that change while everything runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
import socket
import ssl

from pydantic import ValidationError
import pytest

import learndock
from learndock import errors
from learndock.calls import CallingChannel, open_channel
from learndock.serving import server
from learndock.serving.config import ServiceSettings
from learndock.tls import TlsFiles
from learndock.v1 import identity_service_pb2 as pb
from learndock.v1.identity_service_pb2_grpc import IdentityServiceStub
from services.identity.config import Settings
from services.identity.wiring import build
from tests.support.certificates import Authority
from tests.support.patience import eventually
from tests.support.serving import SERVICE_TOKEN, Bearer


def settings_of(folder: Path, files: TlsFiles, *, callers: bool) -> Settings:
    return Settings(
        data_dir=folder,
        service_token=SERVICE_TOKEN,
        tls_certificate_file=files.certificate_file,
        tls_key_file=files.key_file,
        tls_ca_file=files.ca_file,
        tls_callers=callers,
    )


@contextmanager
def serving(settings: Settings) -> Iterator[str]:
    """An identity service as a process serves it; its port at localhost."""
    application = build(settings)
    assert application.authenticator is not None
    running = server.start(
        [application], listen="127.0.0.1:0", authenticator=application.authenticator, terms=settings.terms
    )
    try:
        yield f"localhost:{running.address.rpartition(':')[2]}"
    finally:
        running.stop(1.0)
        application.close()


def asks(address: str, settings: Settings, files: TlsFiles | None) -> str:
    """Name of the caller by a new connection."""
    token = settings.admin_token.read_text().strip()
    with CallingChannel(open_channel(address, files), Bearer(token)) as channel:
        return IdentityServiceStub(channel).WhoAmI(pb.WhoAmIRequest(), timeout=20).user.name


def shown_serial(address: str) -> int:
    """Serial number of the certificate that a server shows now."""
    from cryptography import x509

    host, _, port = address.rpartition(":")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    with socket.create_connection((host, int(port))) as plain, context.wrap_socket(plain) as secured:
        shown = secured.getpeercert(binary_form=True)
        assert shown is not None
        return x509.load_der_x509_certificate(shown).serial_number


def test_tls_is_served_to_those_who_trust_the_authority(tmp_path: Path) -> None:
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    settings = settings_of(tmp_path / "data", authority.issue("server"), callers=False)
    with serving(settings) as address:
        assert asks(address, settings, TlsFiles(authority.ca_file)) == "admin"
        for files in (TlsFiles(stranger.ca_file), TlsFiles(), None):
            with pytest.raises(errors.Unavailable):
                asks(address, settings, files)


def test_mutual_tls_admits_only_callers_with_a_certificate_of_the_authority(tmp_path: Path) -> None:
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    settings = settings_of(tmp_path / "data", authority.issue("server"), callers=True)
    caller = authority.issue("caller", host="search")
    forged = stranger.issue("forged", host="search")
    with serving(settings) as address:
        assert asks(address, settings, caller) == "admin"
        refused = TlsFiles(authority.ca_file), TlsFiles(authority.ca_file, forged.certificate_file, forged.key_file)
        for files in refused:
            with pytest.raises(errors.Unavailable):
                asks(address, settings, files)
        token = settings.admin_token.read_text().strip()
        with learndock.Dock(
            address,
            token,
            ca_file=authority.ca_file,
            certificate_file=caller.certificate_file,
            key_file=caller.key_file,
        ) as dock:
            assert dock.whoami().name == "admin"
        with settings.peer(address).as_service as channel:
            answer = IdentityServiceStub(channel).Authenticate(pb.AuthenticateRequest(token=token))
        assert answer.user.name == "admin"


def test_a_server_shows_new_certificates_without_a_restart(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    settings = settings_of(tmp_path / "data", authority.issue("server"), callers=False)
    with serving(settings) as address:
        with CallingChannel(
            open_channel(address, TlsFiles(authority.ca_file)), Bearer(settings.admin_token.read_text().strip())
        ) as channel:
            stub = IdentityServiceStub(channel)
            stub.WhoAmI(pb.WhoAmIRequest())
            before = shown_serial(address)
            authority.issue("server")
            assert shown_serial(address) != before
            stub.WhoAmI(pb.WhoAmIRequest())
        assert asks(address, settings, TlsFiles(authority.ca_file)) == "admin"


def test_a_caller_takes_up_new_authorities_and_certificates_without_a_restart(tmp_path: Path) -> None:
    old, new = Authority(tmp_path / "old"), Authority(tmp_path / "new")
    mine = tmp_path / "mine"
    mine.mkdir()
    files = TlsFiles(mine / "ca.pem", mine / "caller.crt", mine / "caller.key")
    take_up(files, old.issue("caller"))
    settings = settings_of(tmp_path / "data", old.issue("server"), callers=True)
    channel = None
    with serving(settings) as first:
        channel = CallingChannel(open_channel(first, files), Bearer(settings.admin_token.read_text().strip()))
        IdentityServiceStub(channel).WhoAmI(pb.WhoAmIRequest())
        stub = IdentityServiceStub(channel)
        replaced = new.issue("server")
        for path, fresh in zip(
            (settings.tls_ca_file, settings.tls_certificate_file, settings.tls_key_file),
            (replaced.ca_file, replaced.certificate_file, replaced.key_file),
            strict=True,
        ):
            assert path is not None
            assert fresh is not None
            path.write_bytes(fresh.read_bytes())
        with pytest.raises(errors.Unavailable):
            asks(first, settings, old.issue("caller"))
        take_up(files, new.issue("caller"))
        assert eventually(lambda: answers(stub))
        assert asks(first, settings, files) == "admin"
    channel.close()


def answers(stub: IdentityServiceStub) -> bool:
    try:
        return bool(stub.WhoAmI(pb.WhoAmIRequest(), timeout=20).user.name)
    except errors.Unavailable:
        return False


def take_up(files: TlsFiles, issued: TlsFiles) -> None:
    for path, fresh in (
        (files.ca_file, issued.ca_file),
        (files.certificate_file, issued.certificate_file),
        (files.key_file, issued.key_file),
    ):
        assert path is not None
        assert fresh is not None
        path.write_bytes(fresh.read_bytes())


@pytest.mark.parametrize(
    "given",
    [
        {"tls_certificate_file": "a.crt"},
        {"tls_key_file": "a.key"},
        {"tls_callers": True},
        {"tls_callers": True, "tls_ca_file": "ca.pem"},
    ],
)
def test_half_a_setting_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ServiceSettings(**given)  # type: ignore[arg-type]


def test_a_service_shows_the_web_token_in_its_file_as_it_is_now(tmp_path: Path) -> None:
    from learndock.serving.peers import Credential

    file = tmp_path / "token"
    file.write_text("first\n")
    credential = Credential("secret", file)
    assert credential.token() == "first"
    file.write_text("the second\n")
    assert credential.token() == "the second"
    assert Credential("secret").token() == "secret"

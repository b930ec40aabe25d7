"""The command line: help, JSON, exit codes."""

from collections.abc import Iterator
import io
import json
from pathlib import Path
import socket

import grpc
import pytest
from typer.main import get_command

from learndock.cli.main import app, execute
from learndock.client import credentials
from learndock.errors import NotFound, Reason
from learndock.v1 import (
    identity_service_pb2,
    identity_service_pb2_grpc,
    search_service_pb2,
    search_service_pb2_grpc,
    storage_service_pb2,
    storage_service_pb2_grpc,
    types_pb2,
    validator_service_pb2,
    validator_service_pb2_grpc,
)
from tests.support.bare_server import bare_server, fail, registered

Captured = pytest.CaptureFixture[str]


class Identity(identity_service_pb2_grpc.IdentityServiceServicer):
    """Everybody is ada."""

    def WhoAmI(
        self, request: identity_service_pb2.WhoAmIRequest, context: grpc.ServicerContext
    ) -> identity_service_pb2.WhoAmIResponse:
        token = dict(context.invocation_metadata())["authorization"]
        return identity_service_pb2.WhoAmIResponse(
            user=identity_service_pb2.User(user_id="7", name=f"ada with {token}", role=types_pb2.ROLE_USER)
        )

    def CreateToken(
        self, request: identity_service_pb2.CreateTokenRequest, context: grpc.ServicerContext
    ) -> identity_service_pb2.CreateTokenResponse:
        token = identity_service_pb2.Token(token_id="t1", label=request.label)
        return identity_service_pb2.CreateTokenResponse(token=token, secret=f"for {request.lifetime_seconds} s")


class Storage(storage_service_pb2_grpc.StorageServiceServicer):
    """One learnware."""

    def GetLearnware(
        self, request: storage_service_pb2.GetLearnwareRequest, context: grpc.ServicerContext
    ) -> storage_service_pb2.GetLearnwareResponse:
        if request.learnware_id != "00000001":
            fail(context, NotFound(Reason.RESOURCE_UNKNOWN, "No learnware has this id."))
        return storage_service_pb2.GetLearnwareResponse(learnware=learnware())

    def ListLearnwares(
        self, request: storage_service_pb2.ListLearnwaresRequest, context: grpc.ServicerContext
    ) -> storage_service_pb2.ListLearnwaresResponse:
        found = [] if request.filter else [learnware()]
        return storage_service_pb2.ListLearnwaresResponse(learnwares=found)

    def GetQuota(
        self, request: storage_service_pb2.GetQuotaRequest, context: grpc.ServicerContext
    ) -> storage_service_pb2.GetQuotaResponse:
        limit, used = (storage_service_pb2.Allowance(bytes=each, learnwares=each) for each in (10, 3))
        return storage_service_pb2.GetQuotaResponse(
            quota=storage_service_pb2.Quota(user_id=request.user_id or "7", limit=limit, used=used)
        )


class Search(search_service_pb2_grpc.SearchServiceServicer):
    """Remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[search_service_pb2.SearchRequest] = []

    def Search(
        self, request: search_service_pb2.SearchRequest, context: grpc.ServicerContext
    ) -> search_service_pb2.SearchResponse:
        self.asked.append(request)
        single = search_service_pb2.SingleResult(rank=1, learnware_id="00000001", version=1)
        return search_service_pb2.SearchResponse(
            island_id="table-d64" if request.HasField("specification") else "",
            singles=[single],
            advice=search_service_pb2.SEARCH_ADVICE_USE_MIXTURE,
        )


class Validator(validator_service_pb2_grpc.ValidatorServiceServicer):
    """Rejects everything."""

    def CheckPackage(
        self, request_iterator: Iterator[validator_service_pb2.CheckPackageRequest], context: grpc.ServicerContext
    ) -> validator_service_pb2.CheckPackageResponse:
        assert sum(len(request.data) for request in request_iterator) == 3
        return validator_service_pb2.CheckPackageResponse(
            state=validator_service_pb2.VALIDATION_STATE_REJECTED, reason="archive: it is no zip file"
        )


def learnware() -> types_pb2.Learnware:
    return types_pb2.Learnware(
        learnware_id="00000001",
        semantic_specification=types_pb2.SemanticSpecification(name="wine", task="Classification"),
        current_version=types_pb2.LearnwareVersion(version=1, state=types_pb2.VERSION_STATE_VERIFIED),
    )


@pytest.fixture
def search() -> Search:
    return Search()


@pytest.fixture
def address(search: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    registers = (
        registered(identity_service_pb2_grpc.add_IdentityServiceServicer_to_server, Identity()),
        registered(storage_service_pb2_grpc.add_StorageServiceServicer_to_server, Storage()),
        registered(search_service_pb2_grpc.add_SearchServiceServicer_to_server, search),
        registered(validator_service_pb2_grpc.add_ValidatorServiceServicer_to_server, Validator()),
    )
    with bare_server(*registers) as where:
        monkeypatch.setenv("LEARNDOCK_ADDRESS", where)
        monkeypatch.setenv("LEARNDOCK_TOKEN", "secret")
        yield where


def commands() -> Iterator[tuple[str, ...]]:
    for name, command in get_command(app).commands.items():
        inner = getattr(command, "commands", None)
        yield from [(name, below) for below in inner] if inner else [(name,)]


@pytest.mark.parametrize("command", list(commands()), ids=" ".join)
def test_every_command_has_help_an_example_and_json(command: tuple[str, ...], capsys: Captured) -> None:
    assert execute([*command, "--help"]) == 0
    text = capsys.readouterr().out
    assert "Example" in text
    assert f"learndock {' '.join(command)}" in text.split("Example")[1] or command == ("login",)
    assert "--json" in text


@pytest.mark.usefixtures("address")
def test_json_is_one_document_and_nothing_else(capsys: Captured) -> None:
    for command in (["get", "00000001"], ["list"], ["search", "--text", "wine"], ["whoami"]):
        assert execute([*command, "--json"]) == 0
        captured = capsys.readouterr()
        assert json.loads(captured.out)
        assert captured.err == ""


@pytest.mark.usefixtures("address")
def test_people_get_tables(capsys: Captured) -> None:
    assert execute(["list"]) == 0
    head, row = capsys.readouterr().out.splitlines()
    assert head.split()[:2] == ["id", "name"]
    assert row.split()[:2] == ["00000001", "wine"]
    assert execute(["list", "--filter", "task = X"]) == 0
    assert "learndock submit" in capsys.readouterr().out


@pytest.mark.usefixtures("address")
def test_what_the_dock_refuses_is_exit_code_1(capsys: Captured) -> None:
    assert execute(["get", "00000009", "--json"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines()[0] == "learndock: No learnware has this id."


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["get"],
        ["submit", "no-such-file.zip"],
        ["reuse", "--data", "X.npy", "--out", "y.npy"],
        ["search", "--top", "0"],
        ["user", "set-role", "ada", "KING"],
    ],
)
@pytest.mark.usefixtures("address")
def test_wrong_usage_is_exit_code_2(arguments: list[str], capsys: Captured) -> None:
    assert execute(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "--help" in captured.err
    assert "Traceback" not in captured.err


def test_no_dock_known_is_exit_code_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("LEARNDOCK_ADDRESS", raising=False)
    assert execute(["list"]) == 2
    assert "learndock up" in capsys.readouterr().err


def test_an_unreachable_dock_is_exit_code_3(capsys: Captured) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert execute(["--address", f"127.0.0.1:{taken.getsockname()[1]}", "whoami"]) == 3
    assert "cannot be reached" in capsys.readouterr().err


@pytest.mark.usefixtures("address")
def test_a_rejected_package_is_exit_code_4(tmp_path: Path, capsys: Captured) -> None:
    package = tmp_path / "bad.zip"
    package.write_bytes(b"bad")
    assert execute(["check", str(package), "--in-dock"]) == 4
    assert "bad.zip is REJECTED: archive: it is no zip file" in capsys.readouterr().out
    assert execute(["check", str(package), "--in-dock", "--json"]) == 4
    assert json.loads(capsys.readouterr().out)["state"] == "REJECTED"


@pytest.mark.usefixtures("address")
def test_words_of_a_search_are_sent(search: Search, capsys: Captured) -> None:
    words = ["--task", "Classification", "--task", "Regression", "--license", "MIT", "--text", "red wine", "--top", "3"]
    assert execute(["search", *words]) == 0
    asked = search.asked[0]
    assert list(asked.filter.tasks) == ["Classification", "Regression"]
    assert (list(asked.filter.licenses), asked.filter.text, asked.top_k) == (["MIT"], "red wine", 3)
    out = capsys.readouterr().out
    assert "The mixture fits much better" in out
    assert "MMD2" not in out  # words alone measure no distance


def test_login_checks_a_piped_token_and_stores_it(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("piped\n"))
    assert execute(["--address", address, "login"]) == 0
    assert "ada with Bearer piped" in capsys.readouterr().out
    stored = credentials.read(credentials.credentials_file())
    assert stored is not None
    assert (stored.address, stored.token) == (address, "piped")


@pytest.mark.usefixtures("address")
def test_a_token_file_goes_before_the_environment(tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "token"
    path.write_text("from-a-file\n")
    assert execute(["--token-file", str(path), "whoami"]) == 0
    assert "ada with Bearer from-a-file" in capsys.readouterr().out


@pytest.mark.usefixtures("address")
def test_a_new_token_is_printed_alone(capsys: Captured) -> None:
    assert execute(["token", "create", "--label", "laptop", "--days", "2"]) == 0
    assert capsys.readouterr().out == "for 172800 s\n"


@pytest.mark.usefixtures("address")
@pytest.mark.parametrize("command", [("whoami",), ("quota", "show")])
def test_what_is_used_and_allowed_is_shown(command: tuple[str, ...], capsys: Captured) -> None:
    assert execute(command) == 0
    assert [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()][-4:] == [
        ["bytes", "3 of 10"],
        ["learnwares", "3 of 10"],
        ["versions", "0 of 0"],
        ["uploads", "0 of 0"],
    ]

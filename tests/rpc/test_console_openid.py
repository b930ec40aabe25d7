"""Signing in to the console through an OpenID provider, which the identity service trusts."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
import hashlib
import http.client
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import json
from pathlib import Path
import threading
from urllib.parse import parse_qs, urlencode, urlsplit

from pydantic import SecretStr, ValidationError
import pytest

from services.console.config import Settings
from services.console.sessions import COOKIE, SessionSeal
from services.console.wiring import build
from services.identity import web_tokens
from services.identity import wiring as identity
from services.identity.config import Settings as IdentitySettings
from tests.support.issuer import AUDIENCE, Issuer, issuer
from tests.support.serving import SERVICE_TOKEN, serve

SECRET = "a secret of the console's tests"
CODE = "the-code"


class Provider:
    """Gives the tokens of an issuer for codes; `change` is what it tells otherwise than it should."""

    def __init__(self, signer: Issuer) -> None:
        self.signer = signer
        self.challenge = self.nonce = ""
        self.change: dict[str, object] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def exchange(self, fields: dict[str, list[str]]) -> dict[str, str]:
        """The answer of the token endpoint, which checks what a provider checks."""
        digest = hashlib.sha256(fields["code_verifier"][0].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        good = (fields["code"], fields["client_secret"], challenge) == ([CODE], ["s3cret"], self.challenge)
        return {"id_token": self.signer.token(**{"nonce": self.nonce, **self.change})} if good else {"error": "no"}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                ends = {f"{name}_endpoint": f"{provider.url}/{name}" for name in ("authorization", "token")}
                self._answer({"issuer": provider.url, **ends})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                self._answer(provider.exchange(parse_qs(body)))

            def _answer(self, document: dict[str, str]) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps(document).encode())

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler


class Browser:
    """Keeps cookies, and follows no redirect by itself."""

    def __init__(self, url: str) -> None:
        self._host = urlsplit(url).netloc
        self.cookies = SimpleCookie()

    def get(self, path: str) -> tuple[int, str, str]:
        connection = http.client.HTTPConnection(self._host, timeout=30)
        cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in self.cookies.items())
        connection.request("GET", path, headers={"cookie": cookie})
        answer = connection.getresponse()
        for line in answer.headers.get_all("set-cookie") or []:
            self.cookies.load(line)
        text = answer.read().decode()
        connection.close()
        return answer.status, answer.headers.get("location", ""), text

    @property
    def token(self) -> str:
        """What the session holds."""
        session = SessionSeal(SECRET, 3600).open(self.cookies[COOKIE].value)
        return session.token if session else ""


@contextmanager
def running_provider() -> Iterator[Provider]:
    with issuer() as signer:
        provider = Provider(signer)
        try:
            yield provider
        finally:
            provider.close()


@pytest.fixture
def provider() -> Iterator[Provider]:
    with running_provider() as made:
        yield made


@pytest.fixture
def browser(tmp_path: Path, provider: Provider) -> Iterator[Browser]:
    trusted = web_tokens.Issuer(issuer=provider.signer.url, audience=AUDIENCE, register_all=True)
    accounts = IdentitySettings(
        data_dir=tmp_path / "identity", service_token=SecretStr(SERVICE_TOKEN), issuers=(trusted,)
    )
    with serve(identity.build(accounts)) as served:
        settings = Settings(
            listen="127.0.0.1:0",
            secret=SecretStr(SECRET),
            dock_address=served.address,
            data_dir=tmp_path / "console",
            openid_issuer=provider.url,
            openid_client_id=AUDIENCE,
            openid_client_secret=SecretStr("s3cret"),
        )
        console = build(settings)
        console.start()
        try:
            yield Browser(console.url)
        finally:
            console.stop(1.0)


def ask(browser: Browser, provider: Provider, onward: str = "/mine") -> str:
    """Begin a sign-in; its state."""
    code, location, _ = browser.get(f"/sign-in/openid?{urlencode({'next': onward})}")
    asked = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
    assert (code, location.partition("?")[0]) == (303, f"{provider.url}/authorization")
    assert (asked["client_id"], asked["code_challenge_method"]) == (AUDIENCE, "S256")
    provider.challenge, provider.nonce = asked["code_challenge"], asked["nonce"]
    return asked["state"]


def answer(browser: Browser, state: str, code: str = CODE) -> tuple[int, str]:
    status, _, text = browser.get(f"/sign-in/openid/return?{urlencode({'state': state, 'code': code})}")
    return status, text


def test_who_is_known_to_the_provider_is_signed_in(browser: Browser, provider: Provider) -> None:
    assert "/sign-in/openid" in browser.get("/sign-in")[2]
    status, text = answer(browser, ask(browser, provider))
    assert status == 200
    assert "url=/mine" in text
    assert browser.token.count(".") == 2
    assert browser.get("/sign-in")[:2] == (303, "/find")


def test_nobody_is_sent_elsewhere_afterwards(browser: Browser, provider: Provider) -> None:
    status, text = answer(browser, ask(browser, provider, "https://example.org/"))
    assert status == 200
    assert "url=/find" in text


@pytest.mark.parametrize(
    "change", [{"nonce": "another"}, {"aud": "another"}, {"exp": 1}, {"nonce": None}], ids=lambda change: str(change)
)
def test_another_token_signs_nobody_in(browser: Browser, provider: Provider, change: dict[str, object]) -> None:
    state = ask(browser, provider)
    provider.change = change
    assert answer(browser, state)[0] == 401
    assert browser.token == ""


def test_another_answer_signs_nobody_in(browser: Browser, provider: Provider) -> None:
    state = ask(browser, provider)
    assert answer(browser, state + "x")[0] == 401
    assert answer(browser, "", "")[0] == 401
    assert answer(browser, state, "stolen")[0] == 401
    del browser.cookies["learndock_openid"]  # as in a browser that did not ask
    assert answer(browser, state)[0] == 401


def test_a_token_too_long_for_a_cookie_is_told(browser: Browser, provider: Provider) -> None:
    state = ask(browser, provider)
    provider.change = {"padding": "x" * 4000}
    assert answer(browser, state)[0] == 429
    assert browser.token == ""


def test_a_provider_that_is_away_is_told(browser: Browser, provider: Provider) -> None:
    provider.close()
    assert browser.get("/sign-in/openid")[0] == 503


def test_half_a_provider_is_refused() -> None:
    with pytest.raises(ValidationError, match="OPENID_CLIENT_ID"):
        Settings(secret=SecretStr(SECRET), openid_issuer="https://example.org")
    with pytest.raises(ValidationError, match="https"):
        Settings(secret=SecretStr(SECRET), openid_issuer="http://example.org", openid_client_id="x")

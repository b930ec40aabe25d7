"""A visitor of the console who needs no browser."""

from __future__ import annotations

import http.client
from http.cookies import SimpleCookie
import re
from urllib.parse import urlencode, urlsplit


class Client:
    """A visitor without a browser, who sends what a browser would not."""

    def __init__(self, url: str) -> None:
        self._host = urlsplit(url).netloc
        self.cookies = SimpleCookie()

    def send(self, method: str, path: str, body: str = "", **headers: str) -> tuple[int, dict[str, str], str]:
        """Code, headers and text of the answer to a request."""
        connection = http.client.HTTPConnection(self._host, timeout=60)
        cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in self.cookies.items())
        sent = {"cookie": cookie, **({"content-type": "application/x-www-form-urlencoded"} if body else {}), **headers}
        connection.request(method, path, body.encode() or None, sent)
        answer = connection.getresponse()
        for line in answer.headers.get_all("set-cookie") or []:
            self.cookies.load(line)
        text = answer.read().decode("utf-8", "replace")
        connection.close()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, text

    def form(self, path: str, **fields: str) -> tuple[int, dict[str, str], str]:
        """The same for a form that is sent."""
        return self.send("POST", path, urlencode(fields))

    def form_token(self, path: str = "/sign-in") -> str:
        """What the forms of this session carry along."""
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', self.send("GET", path)[2])
        assert found is not None
        return found.group(1)

    def sign_in(self, token: str) -> Client:
        """Sign in with an API token."""
        code, headers, _ = self.form("/sign-in", csrf=self.form_token(), token=token)
        assert (code, headers["location"]) == (303, "/find")
        return self

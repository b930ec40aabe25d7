"""Pip's configuration reaches uv."""

import pytest

from tools import environment


def test_the_environment_outranks_a_section_that_outranks_the_global_one() -> None:
    listing = "\n".join(
        [
            ":env:.find-links='/from/environment'",
            "global.find-links='/from/file'",
            "global.index-url='https://index.example/simple'",
            "install.index-url='https://other.example/simple'",
            "global.cert='/etc/ca.pem'",
        ]
    )
    assert environment.pip_settings(listing) == {
        "find-links": "/from/environment",
        "index-url": "https://other.example/simple",
        "cert": "/etc/ca.pem",
    }


def test_several_lines_and_quotes_are_read() -> None:
    listing = "global.find-links='\\n/a\\n/b'\nglobal.constraint=\"/it's/here\""
    assert environment.pip_settings(listing) == {"find-links": "\n/a\n/b", "constraint": "/it's/here"}


def test_uv_is_told_in_its_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UV_FIND_LINKS", raising=False)
    monkeypatch.setenv("UV_INDEX", "https://set.example/simple")
    settings = environment.uv_settings("global.find-links='/a /b'\nglobal.extra-index-url='https://x.example'")
    assert settings["UV_FIND_LINKS"] == "/a,/b"
    assert "UV_INDEX" not in settings, "what the environment says already is left alone"

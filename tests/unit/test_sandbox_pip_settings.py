"""pip's settings as uv takes them."""

from __future__ import annotations

from pathlib import Path

from learndock.sandbox.pip_settings import uv_options, uv_variables


def test_variables_are_translated() -> None:
    pip = {
        "PIP_INDEX_URL": "https://index.example/simple",
        "PIP_FIND_LINKS": "/a  /b",
        "PIP_NO_INDEX": "1",
        "PIP_CONSTRAINT": "/c.txt",
        "PIP_CERT": "/ca.pem",
    }
    assert uv_variables(pip, ()) == {
        "UV_DEFAULT_INDEX": "https://index.example/simple",
        "UV_FIND_LINKS": "/a,/b",
        "UV_NO_INDEX": "1",
        "UV_CONSTRAINT": "/c.txt",
        "SSL_CERT_FILE": "/ca.pem",
    }


def test_several_indexes_are_searched_as_pip_does() -> None:
    translated = uv_variables({"PIP_EXTRA_INDEX_URL": "https://one.example https://two.example"}, ())
    assert translated == {
        "UV_EXTRA_INDEX_URL": "https://one.example https://two.example",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }


def test_files_are_read_and_later_ones_win(tmp_path: Path) -> None:
    (tmp_path / "site.conf").write_text("[global]\nfind-links = /site\nindex_url = https://site.example\n")
    (tmp_path / "own.conf").write_text("[global]\nfind-links =\n    /own\n    /more\n[install]\nno-index = true\n")
    files = (tmp_path / "missing.conf", tmp_path / "site.conf", tmp_path / "own.conf")
    assert uv_variables({}, files) == {
        "UV_FIND_LINKS": "/own,/more",
        "UV_DEFAULT_INDEX": "https://site.example",
        "UV_NO_INDEX": "true",
    }


def test_variables_win_over_files_and_those_of_uv_over_all(tmp_path: Path) -> None:
    file = tmp_path / "pip.conf"
    file.write_text("[global]\nfind-links = /file\nindex-url = https://file.example\n")
    environment = {"PIP_FIND_LINKS": "/variable", "UV_DEFAULT_INDEX": "https://uv.example"}
    assert uv_variables(environment, (file,)) == {"UV_FIND_LINKS": "/variable"}


def test_uv_is_told_by_an_option_that_there_is_no_index() -> None:
    assert uv_options(uv_variables({"PIP_NO_INDEX": "1"}, ())) == ("--no-index",)
    assert uv_options(uv_variables({"PIP_NO_INDEX": "false"}, ())) == ()
    assert uv_options(uv_variables({}, ())) == ()


def test_files_that_are_none_are_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "pip.conf"
    file.write_bytes(b"\xff no [section")
    assert uv_variables({}, (file,)) == {}


def test_pip_can_be_told_to_read_no_file(tmp_path: Path) -> None:
    (tmp_path / ".config" / "pip").mkdir(parents=True)
    (tmp_path / ".config" / "pip" / "pip.conf").write_text("[global]\nfind-links = /home\n")
    shared = str(tmp_path / "nowhere")
    assert uv_variables({"HOME": str(tmp_path), "XDG_CONFIG_DIRS": shared})["UV_FIND_LINKS"] == "/home"
    assert uv_variables({"HOME": str(tmp_path), "XDG_CONFIG_DIRS": shared, "PIP_CONFIG_FILE": "/dev/null"}) == {}

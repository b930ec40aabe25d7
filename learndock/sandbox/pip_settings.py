"""The operator's pip settings, as uv takes them: uv reads none of pip's files and variables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
import configparser
import os
from pathlib import Path
import sys

_TRANSLATIONS = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_EXTRA_INDEX_URL", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "no-index": ("UV_NO_INDEX", " "),
    "constraint": ("UV_CONSTRAINT", " "),
    "cert": ("SSL_CERT_FILE", " "),
}
"""Of each setting of pip: uv's variable, and what separates several values in it."""


def uv_variables(environment: Mapping[str, str], files: tuple[Path, ...] | None = None) -> dict[str, str]:
    """Variables for uv that say what pip's settings say; a variable that is set already is left alone.

    Parameters
    ----------
    environment
        Environment variables, among them pip's own (`PIP_FIND_LINKS`), which win over its files.
    files
        pip's configuration files, later ones winning; None for those that pip reads.
    """
    settings = dict(_from_files(_pip_files(environment) if files is None else files))
    for name in _TRANSLATIONS:
        value = environment.get("PIP_" + name.upper().replace("-", "_"))
        if value:
            settings[name] = value
    variables = {
        variable: separator.join(settings[name].split())
        for name, (variable, separator) in _TRANSLATIONS.items()
        if name in settings and variable not in environment
    }
    if "UV_EXTRA_INDEX_URL" in variables:
        # pip takes the best version of all indexes; uv by default stops at the first that knows the name.
        variables.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    return variables


def uv_options(environment: Mapping[str, str]) -> tuple[str, ...]:
    """What uv takes as an option only, of variables that `uv_variables` has completed: it knows no UV_NO_INDEX."""
    return ("--no-index",) if environment.get("UV_NO_INDEX", "").lower() in ("1", "true", "yes", "on") else ()


def _from_files(files: tuple[Path, ...]) -> Iterator[tuple[str, str]]:
    for file in files:
        parser = configparser.RawConfigParser()
        try:
            parser.read(file, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            continue
        for section in ("global", "install"):
            if parser.has_section(section):
                yield from ((key.replace("_", "-"), value) for key, value in parser.items(section) if value.strip())


def _pip_files(environment: Mapping[str, str]) -> tuple[Path, ...]:
    home = Path(environment.get("HOME") or Path.home())
    shared = environment.get("XDG_CONFIG_DIRS") or "/etc/xdg"
    own = environment.get("PIP_CONFIG_FILE")
    if own == os.devnull:
        return ()
    return (
        *(Path(folder, "pip", "pip.conf") for folder in reversed(shared.split(":"))),
        Path("/etc/pip.conf"),
        home / ".pip" / "pip.conf",
        Path(environment.get("XDG_CONFIG_HOME") or home / ".config", "pip", "pip.conf"),
        Path(sys.prefix, "pip.conf"),
        *((Path(own),) if own else ()),
    )

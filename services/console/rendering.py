"""The templates' surroundings: what a page may call."""

from __future__ import annotations

from functools import cache
import hashlib
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from learndock.learnware import VOCABULARY
from services.console import find, formats, markdown
from services.console.protection import STATIC
from services.console.visit import THEMES
from services.console.words import LANGUAGES

FOLDER = Path(__file__).parent


def environment() -> Environment:
    """Templates that escape everything and know no undefined names."""
    # The extension of each template says HTML; escaping does not depend on that.
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(
        asset=asset,
        languages=LANGUAGES,
        themes=THEMES,
        vocabulary=VOCABULARY,
        reuse_address=find.reuse_address,
        members_of_mixture=find.members_of_mixture,
        member_of=find.member_of,
    )
    made.filters.update(
        in_bytes=formats.in_bytes,
        moment=formats.moment,
        duration=formats.duration,
        discrepancy=formats.discrepancy,
        share=formats.share,
        plain=formats.plain,
        markdown=markdown.rendered,
    )
    return made


@cache
def asset(name: str) -> str:
    """Address of one of our own files, which changes when the file does."""
    digest = hashlib.sha256((FOLDER / "static" / name).read_bytes()).hexdigest()[:12]
    return f"{STATIC}{name}?v={digest}"

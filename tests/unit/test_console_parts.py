"""Markdown, CSV, sessions, charts and the desk of the console."""

from pathlib import Path
import time

import numpy as np
import pytest

from learndock.errors import InvalidInput, NotFound
from learndock.learnware import FeatureSpace
from learndock.rkme.specification import Specification
from services.console.charts import HEIGHT, WIDTH, bars, histogram, scatter
from services.console.desk import Desk
from services.console.formats import discrepancy, duration, in_bytes
from services.console.markdown import rendered
from services.console.semantic_form import _space
from services.console.sessions import Session, SessionSeal
from services.console.spreadsheet import csv_text


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "[x](data:text/html,<script>alert(1)</script>)",
        "![x](https://example.org/x.png)",
        '<a href="#" onclick="alert(1)">x</a>',
        "<style>body{display:none}</style>",
        "<svg/onload=alert(1)>",
    ],
)
def test_markdown_can_do_nothing(text: str) -> None:
    html = rendered(text)
    assert "<script" not in html
    assert "<img" not in html
    assert "<svg" not in html
    assert "<style" not in html
    assert 'href="javascript' not in html
    assert 'href="data' not in html
    assert "<a href" not in html


def test_markdown_is_markdown() -> None:
    html = rendered("# Wine\n\n| a |\n|---|\n| 1 |\n\n- **b** [c](https://example.org)")
    assert "<h3>Wine</h3>" in html
    assert "<td>1</td>" in html
    assert '<a href="https://example.org" rel="noopener noreferrer nofollow">c</a>' in html


@pytest.mark.parametrize("word", ["=1+1", "+1", "-1", "@x", "\tx"])
def test_a_spreadsheet_runs_nothing(word: str) -> None:
    assert csv_text(["a"], [[word]]).splitlines()[1].startswith(("'", "\"'"))


def test_numbers_stay_numbers_in_a_csv() -> None:
    assert csv_text(["a", "b"], [[-1.5, "x"]]) == "a,b\n-1.5,x\n"


def test_a_session_comes_back_from_its_cookie_only() -> None:
    seal = SessionSeal("a long secret of tests", 60)
    session = Session.begin("token")
    cookie = seal.seal(session)
    assert "token" not in cookie
    assert seal.open(cookie) == session
    assert seal.open(cookie[:-2] + "AA") is None
    assert SessionSeal("another secret of tests", 60).open(cookie) is None
    assert SessionSeal("a long secret of tests", -1).open(cookie) is None
    assert "token" not in repr(session)


def test_a_form_token_is_good_for_its_session_only() -> None:
    seal = SessionSeal("a long secret of tests", 60)
    one, other = Session.begin(), Session.begin()
    assert seal.is_form_token(one, seal.form_token(one))
    assert not seal.is_form_token(other, seal.form_token(one))
    assert not seal.is_form_token(one, "é")


def test_the_desk_keeps_things_apart_and_clears_them_away(tmp_path: Path) -> None:
    desk = Desk(tmp_path, keep_seconds=-1)
    item = desk.new("ann")
    assert desk.folder_of("ann", item).is_dir()
    for owner, name in (("bob", item), ("ann", "../" + item), ("ann", ""), ("ann", "A" * 32)):
        with pytest.raises(NotFound):
            desk.folder_of(owner, name)
    time.sleep(0.01)
    Desk(tmp_path, keep_seconds=-1).new("bob")  # sweeps
    with pytest.raises(NotFound):
        desk.folder_of("ann", item)


def spec(rows: int, columns: int, seed: int) -> Specification:
    generator = np.random.default_rng(seed)
    return Specification(atoms=generator.standard_normal((rows, columns)), weights=np.full(rows, 1 / rows))


def test_a_scatter_fits_its_picture_and_matches_plain_principal_components() -> None:
    one, other = spec(30, 5, 0), spec(20, 5, 1)
    drawn = scatter(one, other)
    assert [len(group) for group in drawn.groups] == [30, 20]
    dots = [dot for group in drawn.groups for dot in group]
    assert all(dot.x - dot.radius >= 0 and dot.x + dot.radius <= WIDTH for dot in dots)
    assert all(dot.y - dot.radius >= 0 and dot.y + dot.radius <= HEIGHT for dot in dots)
    pooled = np.concatenate([one.atoms, other.atoms]).astype(np.float64)
    weights = np.concatenate([np.full(30, 0.5 / 30), np.full(20, 0.5 / 20)])
    centred = pooled - weights @ pooled
    covariance = (centred * weights[:, None]).T @ centred
    deviations = np.sqrt(np.diag(covariance))
    correlations = np.linalg.eigvalsh(covariance / np.outer(deviations, deviations))[::-1]
    assert drawn.shares == pytest.approx(correlations[:2] / correlations.sum())


@pytest.mark.parametrize("columns", [1, 2])
def test_a_scatter_of_few_columns(columns: int) -> None:
    assert len(scatter(spec(4, columns, 0)).groups[0]) == 4


def test_a_scatter_of_one_point() -> None:
    assert len(scatter(Specification(atoms=np.ones((1, 3)), weights=np.ones(1))).groups[0]) == 1


def test_other_spaces_have_no_common_picture() -> None:
    with pytest.raises(InvalidInput):
        scatter(spec(3, 2, 0), spec(3, 4, 0))


def test_bars_are_lengths_beside_the_longest() -> None:
    assert [bar.length for bar in bars({"a": 1, "b": 4, "c": 0})] == [25, 100, 0]
    assert bars({}) == ()
    assert sum(bar.value for bar in histogram(np.arange(100.0))) == 100


def test_numbers_are_readable() -> None:
    assert (in_bytes(12), in_bytes(1536), in_bytes(5 * 2**30)) == ("12 B", "1.5 KiB", "5.0 GiB")
    assert (duration(2e-5), duration(0.25), duration(3)) == ("20 µs", "250.0 ms", "3.0 s")
    assert (discrepancy(0), discrepancy(0.01234), discrepancy(1e-5)) == ("0", "0.0123", "1.0e-05")


def test_meanings_are_told_a_line_each() -> None:
    assert _space("3", "first\n\nthird\n\n") == FeatureSpace(3, {0: "first", 2: "third"})
    assert _space("", "a\nb") == FeatureSpace(2, {0: "a", 1: "b"})
    assert _space("", "") is None
    assert _space("many", "") == FeatureSpace(0)

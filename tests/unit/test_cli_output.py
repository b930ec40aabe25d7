"""What commands print."""

from datetime import UTC, datetime
import json
from pathlib import Path

import numpy as np
import pytest

from learndock.account import Token
from learndock.cli.output import emit_json, print_facts, print_table, to_plain
from learndock.client.values import NewToken
from learndock.examination.report import CheckResult, CheckVerdict
from learndock.rkme.specification import Specification


def test_values_become_json() -> None:
    check = CheckResult("loads", CheckVerdict.PASSED, "fine", 0.5)
    assert to_plain(check) == {"name": "loads", "verdict": "PASSED", "message": "fine", "seconds": 0.5}
    moment = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
    value = {1: (moment, Path("a/b"), np.float64(0.5), np.array([1, 2]), None, {"x"})}
    assert to_plain(value) == {"1": ["2024-05-01T12:00:00+00:00", "a/b", 0.5, [1, 2], None, ["x"]]}


def test_a_specification_becomes_json(capsys: pytest.CaptureFixture[str]) -> None:
    emit_json(Specification(atoms=np.eye(2, dtype=np.float32), weights=np.array([0.25, 0.75])))
    document = json.loads(capsys.readouterr().out)
    assert document["atoms"] == [[1.0, 0.0], [0.0, 1.0]]
    assert document["weights"] == [0.25, 0.75]
    assert document["modality"] == "TABLE"


def test_a_new_token_shows_its_secret_in_json_but_in_no_repr() -> None:
    made = NewToken(Token("t1", "u1", "laptop", datetime(2024, 5, 1, tzinfo=UTC)), "the-secret")
    plain = to_plain(made)
    assert isinstance(plain, dict)
    assert plain["secret"] == "the-secret"
    assert "the-secret" not in repr(made)


def test_tables_keep_brackets_and_long_words(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("id", "what"), [("00000001", "[bold]no markup[/bold]"), ("00000002", "x" * 70)], empty="none")
    out = capsys.readouterr().out
    assert "[bold]no markup[/bold]" in out
    assert "x" * 70 in out
    print_table(("id",), [], empty="Nothing [here].")
    assert capsys.readouterr().out == "Nothing [here].\n"


def test_facts_leave_out_what_is_empty(capsys: pytest.CaptureFixture[str]) -> None:
    print_facts({"name": "wine", "reason": "", "deleted": None, "scenarios": ("Health", "Nature")})
    out = capsys.readouterr().out
    assert "Health, Nature" in out
    assert "reason" not in out
    assert "deleted" not in out

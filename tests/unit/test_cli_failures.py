"""Exit codes, and two lines for every failure."""

import pytest

from learndock import errors
from learndock.cli.failures import ExitCode, exit_code, report
from learndock.errors import FieldViolation, LearndockError, Reason
from learndock.status import CODES


@pytest.mark.parametrize("reason", Reason)
def test_every_failure_says_what_and_what_to_do(reason: Reason, capsys: pytest.CaptureFixture[str]) -> None:
    report(errors.InvalidInput(reason, "It is\nwrong.", field="a.b"))
    captured = capsys.readouterr()
    what, then = captured.err.splitlines()
    assert what.startswith("learndock: ")
    assert "It is wrong." in what
    assert "a.b" in what
    assert len(then.strip()) > 5
    assert captured.out == ""


@pytest.mark.parametrize("error_class", CODES)
def test_every_class_has_an_exit_code(error_class: type[LearndockError], capsys: pytest.CaptureFixture[str]) -> None:
    error = error_class(Reason.CANCELLED, "No.")
    assert exit_code(error) in (ExitCode.REFUSED, ExitCode.UNREACHABLE)
    report(error)
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_several_fields_are_all_told(capsys: pytest.CaptureFixture[str]) -> None:
    violations = [FieldViolation("name", "too long"), FieldViolation("task", "unknown")]
    report(errors.InvalidInput(Reason.SEMANTIC_INVALID, "2 fields are wrong.", violations=violations))
    assert "name: too long; task: unknown" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.Unavailable(Reason.SERVICE_UNAVAILABLE, "gone"), 3),
        (errors.DeadlineExceeded(Reason.DEADLINE_EXCEEDED, "late"), 3),
        (errors.Unavailable(Reason.NO_MEMBER_LEFT, "all failed"), 1),
        (errors.NotFound(Reason.RESOURCE_UNKNOWN, "none"), 1),
        (errors.InvalidInput(Reason.FIELD_INVALID, "no dock", field="address"), 2),
        (errors.InvalidInput(Reason.PACKAGE_INVALID, "no zip", field="package"), 4),
    ],
)
def test_exit_codes(error: LearndockError, code: int) -> None:
    assert exit_code(error) == code

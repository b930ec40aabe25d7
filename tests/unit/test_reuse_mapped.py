"""Members of another feature space: what they are asked, and what becomes of their answers."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from learndock.errors import InvalidInput
from learndock.learnware import FeatureSpace, SemanticSpecification
from learndock.reuse.alignment import output_alignment
from learndock.reuse.gathering import Outputs
from learndock.reuse.labels import Labelled
from learndock.reuse.mapped import Mapped, mapped
from learndock.reuse.member import Member
from learndock.reuse.outputs import OutputKind, one_hot
from learndock.reuse.strategy import Strategy, make_reuser
from learndock.rkme.specification import Specification
from learndock.schema.assignment import Assignment, Match
from learndock.schema.units import Conversion

GENERATOR = np.random.default_rng(9)
TASK = FeatureSpace(2, {0: "a", 1: "b"})


@dataclass
class Recording:
    """A model that is the sum of a row, and remembers what it was asked."""

    asked: list[np.ndarray] = field(default_factory=list)
    classes: bool = False

    def predict(self, X: np.ndarray) -> np.ndarray:
        self.asked.append(np.asarray(X))
        total = np.asarray(X).sum(axis=1)
        return (total > 0).astype(np.int64) if self.classes else total


def member(model: object, dimension: int = 3, *, task: str = "Regression", atoms: int = 20) -> Member:
    rows = GENERATOR.standard_normal((atoms, dimension)).astype(np.float32)
    semantic = SemanticSpecification(
        "m", "", "Table", task, "Others", ("Others",), input=FeatureSpace(dimension), output=FeatureSpace(1)
    )
    return Member(model, Specification(rows, np.full(atoms, 1 / atoms)), semantic, 1.0, "00000001")


def test_all_columns_known_are_put_in_order_and_converted() -> None:
    model = Recording()
    assignment = Assignment((Match(1, 0), Match(0, 1, 1.0, Conversion(10.0, 1.0))), 2, 2)
    made = mapped(member(model, 2), assignment, TASK)
    np.testing.assert_allclose(made.model.predict(np.array([[1.0, 2.0]])), [2.0 + 11.0])
    np.testing.assert_array_equal(model.asked[0], [[2.0, 11.0]])
    assert made.semantic.input == TASK


def test_its_specification_is_told_in_the_tasks_columns_and_units() -> None:
    original = member(Recording(), 3)
    assignment = Assignment((Match(1, 0), Match(0, 2, 1.0, Conversion(10.0, 1.0))), 2, 3)
    made = mapped(original, assignment, TASK)
    atoms = original.specification.atoms
    np.testing.assert_allclose(
        made.specification.atoms, np.column_stack([(atoms[:, 2] - 1) / 10, atoms[:, 0]]), rtol=1e-5
    )
    assert mapped(original, Assignment((Match(1, 0),), 2, 3), TASK).specification is None


def test_missing_columns_are_averaged_over_in_the_answer() -> None:
    assignment = Assignment((Match(0, 0),), 2, 3)
    made = mapped(member(Recording()), assignment, TASK)
    assert isinstance(made.model, Mapped)
    rows = GENERATOR.standard_normal((4, 2))
    completed, probabilities = made.model.completion.likeliest(rows[:, :1], 5)
    np.testing.assert_allclose(made.model.predict(rows), (completed.sum(axis=2) * probabilities).sum(axis=1))


def test_classes_are_those_of_the_likeliest_completion() -> None:
    made = mapped(member(Recording(classes=True), task="Classification"), Assignment((Match(0, 0),), 2, 3), TASK)
    rows = GENERATOR.standard_normal((4, 2))
    completed, _ = made.model.completion.likeliest(rows[:, :1], 5)
    np.testing.assert_array_equal(made.model.predict(rows), (completed[:, 0].sum(axis=1) > 0).astype(int))


def test_what_cannot_be_mapped_is_refused() -> None:
    with pytest.raises(InvalidInput, match="shares no column"):
        mapped(member(Recording()), Assignment((), 2, 3), TASK)
    with pytest.raises(InvalidInput, match="has 3 columns, not 4"):
        mapped(member(Recording()), Assignment((Match(0, 0),), 2, 4), TASK)
    made = mapped(member(Recording()), Assignment((Match(0, 0),), 2, 3), TASK)
    with pytest.raises(InvalidInput, match="2 columns of the task"):
        made.model.predict(np.ones((3, 5)))


def regression(count: int) -> tuple[Outputs, np.ndarray, np.ndarray]:
    features = GENERATOR.standard_normal((count, 2))
    said = features.sum(axis=1)[None, :, None]
    return Outputs(said, np.ones(1, dtype=bool), OutputKind.VALUES, ()), features, 3.0 * said[0] + 5.0


def test_numbers_are_stretched_and_shifted_to_the_truth() -> None:
    outputs, features, truth = regression(2000)
    aligned = output_alignment(outputs, features, truth, np.ones(1))
    np.testing.assert_allclose(aligned.change[0], 3.0, rtol=0.02)
    assert float(np.abs(aligned.combine(outputs, features) - truth).mean()) < 0.1


def test_one_label_moves_numbers_half_way_and_stretches_nothing() -> None:
    outputs, features, truth = regression(1)
    aligned = output_alignment(outputs, features, truth, np.ones(1))
    expected = (outputs.values[0] + truth) / 2
    np.testing.assert_allclose(aligned.combine(outputs, features), expected)


def test_classes_that_go_by_other_numbers_are_relabelled() -> None:
    labels = GENERATOR.integers(3, size=300)
    said = one_hot((labels + 1) % 3, 3)
    outputs = Outputs(said[None], np.ones(1, dtype=bool), OutputKind.PROBABILITIES, ())
    aligned = output_alignment(outputs, np.zeros((300, 1)), one_hot(labels, 3), np.ones(1))
    answer = aligned.combine(outputs, np.zeros((300, 1)))
    np.testing.assert_array_equal(answer.argmax(axis=1), labels)
    np.testing.assert_allclose(answer.sum(axis=1), 1.0)


@pytest.mark.parametrize("strategy", [Strategy.HETERO_ALIGN, Strategy.AUTO, Strategy.STACKING, Strategy.AVERAGE])
def test_every_strategy_takes_mapped_members(strategy: Strategy) -> None:
    assignment = Assignment((Match(0, 0), Match(1, 1)), 2, 3)
    members = [mapped(member(Recording()), assignment, TASK) for _ in range(2)]
    rows = GENERATOR.standard_normal((40, 2))
    known = Labelled(rows, rows.sum(axis=1) * 2 + 1)
    reuser = make_reuser(strategy, members, labelled=known if strategy.needs_labels else None)
    assert reuser.predict(rows).shape == (40,)
    if strategy is Strategy.AUTO:
        assert "HETERO_ALIGN" in reuser.expected_errors_

"""People with data and a model: they specify, package and submit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from demo.data import Kind, Rows, in_si_units, inverted, kinds, rotated, split
from demo.models import Model, forest, least_squares, linear_estimator, network
import learndock
from learndock.learnware import FeatureSpace, SemanticSpecification
from learndock.package.build import build_package

Trainer = Callable[[Rows, Kind], Model]


@dataclass(frozen=True)
class Offer:
    """What somebody has before any work is done: rows, and a way to train."""

    name: str
    kind: Kind
    rows: Rows
    trainer: Trainer

    def train(self) -> Owner:
        """Train the model."""
        return Owner(self.name, self.kind, self.rows, self.trainer(self.rows, self.kind))


@dataclass(frozen=True)
class Owner:
    """Somebody with a trained model and the rows that it was trained on."""

    name: str
    kind: Kind
    rows: Rows
    model: Model

    def package(self, folder: Path) -> Path:
        """Specify the rows here, and pack the model with that."""
        path = folder / f"{self.name.replace(' ', '_')}.zip"
        build_package(
            path,
            model=self.model.for_package,
            semantic=self._semantic(),
            specification=learndock.specify(self.rows.inputs),
        )
        return path

    def _semantic(self) -> SemanticSpecification:
        return SemanticSpecification(
            name=self.name,
            description=f"{self.kind.name}: {self.name}; trained on {len(self.rows.truth)} rows.",
            data="Table",
            task=self.kind.task,
            library=self.model.library,
            scenarios=(self.kind.scenario,),
            input=FeatureSpace(len(self.kind.features), dict(enumerate(self.kind.features))),
            output=FeatureSpace(len(self.kind.outputs), dict(enumerate(self.kind.outputs))),
        )


def offers() -> list[Offer]:
    """Thirteen of them, each knowing a part of the data or seeing it in a way of its own."""
    digits, wine, diabetes = (split(kind)[0] for kind in ("digits", "wine", "diabetes"))
    rows: list[tuple[str, str, Rows, Trainer]] = [
        ("digits 0 to 4", "digits", digits.of_classes(0, 1, 2, 3, 4), linear_estimator),
        ("digits 5 to 9", "digits", digits.of_classes(5, 6, 7, 8, 9), network),
        ("digits 0 to 2", "digits", digits.of_classes(0, 1, 2), least_squares),
        ("digits 6 to 9", "digits", digits.of_classes(6, 7, 8, 9), forest),
        ("all digits", "digits", digits, forest),
        ("inverted digits", "digits", digits.seen(inverted), network),
        ("turned digits", "digits", digits.seen(rotated), linear_estimator),
        ("wine of cultivars 0 and 1", "wine", wine.of_classes(0, 1), least_squares),
        ("wine of cultivars 1 and 2", "wine", wine.of_classes(1, 2), linear_estimator),
        ("wine of all cultivars", "wine", wine, network),
        ("patients in US units", "diabetes", diabetes, linear_estimator),
        ("patients in SI units", "diabetes", diabetes.seen(in_si_units), forest),
        ("women in US units", "diabetes", diabetes.where(diabetes.inputs[:, 1] == 2), least_squares),
    ]
    return [Offer(name, kinds()[kind], owner_rows, trainer) for name, kind, owner_rows, trainer in rows]

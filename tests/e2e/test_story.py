"""The story on a whole dock: submit, validate, find, reuse; and what a bad package gets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
import zipfile

import numpy as np
import pytest

from learndock import errors
from learndock.account import Role
from learndock.client.dock import Dock
from learndock.client.values import SearchAdvice, Strategy
from learndock.errors import Reason
from learndock.examination.report import ValidationState
from learndock.learnware import Visibility
from learndock.rkme.fit import build_specification
from tests.support.dock import RunningDock, running_dock
from tests.support.learnwares import Digits, digits_package
from tests.support.rewrite import rewritten

OWNERS: tuple[Sequence[int], ...] = ((0, 1, 2), (3, 4, 5), (6, 7, 8, 9))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDock]:
    with running_dock(tmp_path_factory.mktemp("story")) as dock:
        yield dock


@pytest.fixture(scope="module")
def admin(running: RunningDock) -> Iterator[Dock]:
    with Dock(running.address, running.admin_token) as dock:
        yield dock


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[Sequence[int], Path]:
    folder = tmp_path_factory.mktemp("packages")
    return {labels: digits_package(folder, labels) for labels in OWNERS}


@pytest.fixture(scope="module")
def ids(admin: Dock, packages: dict[Sequence[int], Path]) -> dict[Sequence[int], str]:
    """Ids of the owners' learnwares, submitted and verified."""
    entered = {labels: admin.submit(path).learnware_id for labels, path in packages.items()}
    for learnware_id in entered.values():
        validation = admin.wait_until_validated(learnware_id)
        assert validation.passed, validation
    return entered


def user_of(running: RunningDock, admin: Dock, name: str) -> Dock:
    admin.create_user(name)
    return Dock(running.address, admin.create_token("test", user=name).secret)


@pytest.mark.parametrize("labels", OWNERS)
def test_a_user_finds_the_owner_of_the_same_labels(
    admin: Dock, ids: dict[Sequence[int], str], labels: Sequence[int]
) -> None:
    mine = Digits.of(labels, half=1)
    found = admin.search(build_specification(mine.X))
    assert found.best is not None
    assert found.best.learnware_id == ids[labels]
    assert found.certificate.certified
    with admin.reuse(found) as model:
        predicted = np.asarray(model.predict(mine.X))
    assert (predicted.ravel() == mine.y).mean() > 0.9


def test_what_a_model_says_of_its_own_atoms_is_kept(admin: Dock, ids: dict[Sequence[int], str]) -> None:
    for learnware_id in ids.values():
        outputs = admin.atom_outputs(learnware_id)
        assert outputs is not None
        assert len(outputs) == len(admin.specification(learnware_id).weights)
        assert np.isfinite(outputs).all()


def test_a_mixed_task_gets_a_mixture_that_beats_every_single(admin: Dock, ids: dict[Sequence[int], str]) -> None:
    mine = Digits.of(range(10), half=1)
    found = admin.search(build_specification(mine.X))
    assert found.advice is SearchAdvice.USE_MIXTURE
    assert found.mixture is not None
    assert {member.learnware_id for member in found.mixture.members} == set(ids.values())
    scores = {}
    for strategy in (Strategy.TOP1, Strategy.JOB_SELECTOR):
        with admin.reuse(found, strategy=strategy) as model:
            scores[strategy] = (np.asarray(model.predict(mine.X)).ravel() == mine.y).mean()
    assert scores[Strategy.JOB_SELECTOR] > 0.85 > scores[Strategy.TOP1]


def test_reuse_at_home_equals_reuse_in_the_dock(admin: Dock, ids: dict[Sequence[int], str]) -> None:
    rows = Digits.of(OWNERS[0], half=1).X
    chosen = [ids[OWNERS[0]]]
    with admin.reuse(chosen) as there, admin.reuse(chosen, where="local") as here:
        assert np.array_equal(there.predict(rows), here.predict(rows))


def test_classes_that_do_not_occur_are_held_back_at_home_as_in_the_dock(
    admin: Dock, ids: dict[Sequence[int], str]
) -> None:
    mine = Digits.of(OWNERS[0][:2], half=1)
    chosen = list(ids.values())
    with (
        admin.reuse(chosen, unlabelled=mine.X) as there,
        admin.reuse(chosen, unlabelled=mine.X, where="local") as here,
        admin.reuse(chosen) as plain,
    ):
        probabilities = there.predict_proba(mine.X)
        np.testing.assert_allclose(probabilities, here.predict_proba(mine.X))
        assert probabilities[:, mine.y].sum() > plain.predict_proba(mine.X)[:, mine.y].sum()


def test_other_people_see_public_learnwares_only(
    running: RunningDock, admin: Dock, packages: dict[Sequence[int], Path], tmp_path: Path
) -> None:
    owner, stranger = user_of(running, admin, "owner"), user_of(running, admin, "stranger")
    assert owner.whoami().role is Role.USER
    package = digits_package(tmp_path, (1, 7))
    secret = owner.submit(package, visibility=Visibility.PRIVATE).learnware_id
    assert owner.wait_until_validated(secret).passed
    mine = build_specification(Digits.of((1, 7), half=1).X)
    sequence = admin.summary().latest_sequence
    assert owner.search(mine, min_sequence=sequence).best.learnware_id == secret  # type: ignore[union-attr]
    seen = stranger.search(mine, min_sequence=sequence)
    assert secret not in {single.learnware_id for single in seen.singles}
    assert seen.certificate.admitted == owner.search(mine).certificate.admitted - 1
    for attempt in (stranger.get, stranger.delete, stranger.versions, stranger.validation):
        with pytest.raises(errors.NotFound):
            attempt(secret)
    owner.delete(secret)


def test_a_deleted_learnware_is_found_no_more_and_can_come_back(admin: Dock, ids: dict[Sequence[int], str]) -> None:
    mine = build_specification(Digits.of(OWNERS[2], half=1).X)
    gone = ids[OWNERS[2]]
    admin.delete(gone)
    after = admin.search(mine, min_sequence=admin.summary().latest_sequence)
    assert gone not in {single.learnware_id for single in after.singles}
    admin.undelete(gone)
    back = admin.search(mine, min_sequence=admin.summary().latest_sequence)
    assert back.best is not None
    assert back.best.learnware_id == gone


BAD_MANIFEST = b"model:\n  class_name: system\n  module_path: os\n"
STAT = "stat_spec.json"
STAT_HEAD = b'{"beta":[1.0],"gamma":0.1,"type":"RKMETableSpecification","z":'


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"learnware.yaml": None}, Reason.MANIFEST_INVALID),
        ({"learnware.yaml": BAD_MANIFEST}, Reason.MANIFEST_INVALID),
        ({"semantic_specification.json": b"{}"}, Reason.SEMANTIC_INVALID),
        ({STAT: STAT_HEAD + b"[[NaN]]}"}, Reason.NOT_FINITE),
        ({STAT: STAT_HEAD + b"[[1.0]]}"}, Reason.SPECIFICATION_INVALID),
        ({STAT: None}, Reason.SPECIFICATION_INVALID),
    ],
    ids=["no manifest", "os.system", "no semantics", "NaN", "other dimension", "no specification"],
)
def test_a_bad_package_is_refused_and_leaves_nothing(
    admin: Dock,
    packages: dict[Sequence[int], Path],
    tmp_path: Path,
    change: dict[str, bytes | None],
    reason: Reason,
) -> None:
    package = rewritten(packages[OWNERS[0]], tmp_path / "bad.zip", change)
    before = admin.summary()
    with pytest.raises(errors.InvalidInput) as caught:
        admin.submit(package)
    assert caught.value.reason is reason
    assert caught.value.field
    assert admin.summary() == before


def test_a_zip_that_is_not_one_is_refused(admin: Dock, tmp_path: Path) -> None:
    path = tmp_path / "not.zip"
    path.write_bytes(b"PK\x03\x04 this is no archive")
    with pytest.raises(errors.InvalidInput) as caught:
        admin.submit(path)
    assert caught.value.reason is Reason.PACKAGE_INVALID


RAISES = "raise ValueError('broken on purpose')"
LOOPS = "while True: pass"
CONNECTS = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=5)"
SHORT = "return np.zeros(1)"
NOT_A_NUMBER = "return np.full((len(X), 1), np.nan)"


@pytest.mark.parametrize("body", [RAISES, CONNECTS, SHORT, NOT_A_NUMBER], ids=["raises", "connects", "short", "NaN"])
def test_a_bad_model_is_rejected_and_says_why(
    admin: Dock, packages: dict[Sequence[int], Path], tmp_path: Path, body: str
) -> None:
    package = rewritten(packages[OWNERS[1]], tmp_path / "bad.zip", {"__init__.py": _model(body)})
    checked = admin.check(package)
    assert checked.state is ValidationState.REJECTED
    assert checked.reason
    entered = admin.submit(package)
    validation = admin.wait_until_validated(entered.learnware_id)
    assert validation.state is ValidationState.REJECTED
    assert validation.reason
    mine = build_specification(Digits.of(OWNERS[1], half=1).X)
    found = admin.search(mine, min_sequence=admin.summary().latest_sequence)
    assert entered.learnware_id not in {single.learnware_id for single in found.singles}
    with pytest.raises(errors.LearndockError):
        admin.reuse([entered.learnware_id])
    admin.delete(entered.learnware_id)


def _model(body: str) -> bytes:
    return f"""import numpy as np
from learnware.model import BaseModel


class Model(BaseModel):
    def __init__(self, **kwargs):
        super().__init__(input_shape=(64,), output_shape=(1,))

    def predict(self, X):
        {body}
""".encode()


def test_the_dock_is_whole_after_all_that(admin: Dock, ids: dict[Sequence[int], str]) -> None:
    assert admin.check_integrity(read_packages=True) == ()


def test_an_unknown_id_and_a_wrong_token(running: RunningDock, admin: Dock) -> None:
    with pytest.raises(errors.NotFound):
        admin.get("99999999")
    for token in ("", "ldk_wrong"):
        with Dock(running.address, token) as dock, pytest.raises(errors.Unauthenticated):
            dock.whoami()


def test_a_downloaded_package_is_the_submitted_one(
    admin: Dock, ids: dict[Sequence[int], str], packages: dict[Sequence[int], Path], tmp_path: Path
) -> None:
    path = admin.download(ids[OWNERS[0]], tmp_path / "back.zip")
    assert path.read_bytes() == packages[OWNERS[0]].read_bytes()
    assert zipfile.is_zipfile(path)

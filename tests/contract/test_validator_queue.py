"""The queue of validations: one worker at a time, late results refused, nothing lost."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import time

import pytest

from learndock.errors import Aborted, Reason
from learndock.examination.report import CheckResult, CheckVerdict, ValidationReport, ValidationState
from learndock.learnware import FormatClass
from learndock.sandbox.owner import own_mark
from learndock.serving.sql import Database, migrate
from services.validator import queue, store
from services.validator.record import Lease, Subject, Validation
from tests.support.databases import DATABASES
from tests.support.models import semantic

MIGRATIONS = Path(store.__file__).parent / "migrations"
LONG = 3600.0
REPORT = ValidationReport(
    checks=(
        CheckResult("archive", CheckVerdict.PASSED, "fine", 0.25),
        CheckResult("loads", CheckVerdict.FAILED, "no", 1.5),
    ),
    format_class=FormatClass.CODE,
    latency_p50_seconds=0.1,
    latency_p99_seconds=0.2,
    peak_memory_bytes=2**33,
    executor="bubblewrap",
    log_tail="printed",
)


@pytest.fixture(params=DATABASES)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def database(kind: str, tmp_path: Path) -> Iterator[Database]:
    url = DATABASES[kind](tmp_path)
    migrate(url, MIGRATIONS)
    made = Database(url)
    yield made
    made.close()


def subject(learnware_id: str = "00000001", version: int = 1, owner_id: str = "owner") -> Subject:
    return Subject(learnware_id, version, owner_id, "0" * 64, semantic())


def enqueue(database: Database, of: Subject | None = None, change: int | None = None) -> Validation:
    with database.write() as session:
        return queue.enqueue(session, of or subject(), change)


def take(database: Database, seconds: float = LONG, holder: str = "me") -> Lease:
    with database.write() as session:
        lease = queue.take(session, holder, seconds)
    assert lease is not None
    return lease


def take_none(database: Database) -> bool:
    with database.write() as session:
        return queue.take(session, "me", LONG) is None


def read(database: Database, validation_id: str) -> Validation:
    with database.read() as session:
        row = store.row_of(session, validation_id)
        assert row is not None
        return store.validation_of(row)


def finish(database: Database, lease: Lease, state: ValidationState = ValidationState.VERIFIED) -> None:
    with database.write() as session:
        queue.finish(session, lease, state, REPORT, "because")


def refused(database: Database, lease: Lease) -> bool:
    for act in (
        lambda session: queue.renew(session, lease, LONG),
        lambda session: queue.note_progress(session, lease, "loads", 10, REPORT),
        lambda session: queue.finish(session, lease, ValidationState.VERIFIED, REPORT, ""),
        lambda session: queue.put_back(session, lease, seconds=0, fault=False),
        lambda session: queue.note_giving_up(session, lease),
    ):
        with pytest.raises(Aborted) as caught, database.write() as session:
            act(session)
        assert caught.value.reason is Reason.LEASE_LOST
    return True


def test_a_validation_goes_from_queued_to_its_end(database: Database) -> None:
    queued = enqueue(database)
    assert (queued.state, queued.attempts, queued.end_time) == (ValidationState.QUEUED, 0, None)
    lease = take(database)
    assert lease.subject == subject()
    with database.write() as session:
        queue.note_progress(session, lease, "loads", 35, REPORT)
    running = read(database, queued.validation_id)
    assert (running.state, running.phase, running.percent) == (ValidationState.RUNNING, "loads", 35)
    finish(database, lease, ValidationState.REJECTED)
    ended = read(database, queued.validation_id)
    assert (ended.state, ended.reason, ended.percent, ended.phase) == (ValidationState.REJECTED, "because", 100, "")
    assert ended.report == REPORT
    assert ended.report.reason == "loads: no"
    assert ended.end_time is not None
    assert queued.revision < running.revision < ended.revision
    assert refused(database, lease)
    assert take_none(database)


def test_the_oldest_is_taken_first(database: Database) -> None:
    made = [enqueue(database, subject(f"0000000{number}")) for number in range(1, 4)]
    assert [take(database).validation_id for _ in made] == [validation.validation_id for validation in made]
    assert take_none(database)


def test_a_first_version_goes_before_one_that_was_judged(database: Database) -> None:
    enqueue(database, subject("00000001"))
    finish(database, take(database))
    again = enqueue(database, subject("00000001"))
    first = enqueue(database, subject("00000002"))
    assert [take(database).validation_id for _ in range(2)] == [first.validation_id, again.validation_id]


def test_owners_take_turns_however_much_one_submits(database: Database) -> None:
    for number in range(1, 7):
        enqueue(database, subject(f"0000000{number}", owner_id="many"))
    enqueue(database, subject("00000007", owner_id="few"))
    enqueue(database, subject("00000008", owner_id="few"))
    served = []
    for _ in range(8):  # one worker, so that nothing else is under way
        lease = take(database)
        served.append(lease.subject.owner_id)
        finish(database, lease)
    assert served == ["many", "few", "many", "few", *["many"] * 4]


def test_who_has_fewer_under_way_goes_first(database: Database) -> None:
    for number in range(1, 4):
        enqueue(database, subject(f"0000000{number}", owner_id="many"))
    many = [take(database), take(database)]
    enqueue(database, subject("00000004", owner_id="few"))
    few = take(database)
    finish(database, few)
    enqueue(database, subject("00000005", owner_id="few"))
    assert take(database).subject.owner_id == "few", "served later, but with none under way"
    for lease in many:
        finish(database, lease)
    assert take(database).subject.owner_id == "many"


def test_a_lease_that_ended_is_taken_over_and_the_late_result_refused(database: Database) -> None:
    enqueue(database)
    frozen = take(database, seconds=-1.0)
    taken_over = take(database)
    assert taken_over.validation_id == frozen.validation_id
    assert taken_over.fence > frozen.fence
    assert (frozen.faults, taken_over.faults) == (0, 1)
    assert refused(database, frozen)
    finish(database, taken_over)


def test_a_lease_that_is_renewed_is_kept(database: Database) -> None:
    enqueue(database)
    lease = take(database, seconds=-1.0)
    with database.write() as session:
        queue.renew(session, lease, LONG)
    assert take_none(database)
    finish(database, lease)


def test_fences_grow_even_when_the_database_is_lost(database: Database, tmp_path: Path) -> None:
    enqueue(database)
    before = take(database).fence
    time.sleep(0.002)
    url = f"sqlite:///{tmp_path / 'other.db'}"
    migrate(url, MIGRATIONS)
    other = Database(url)
    enqueue(other)
    assert take(other).fence > before
    other.close()


def test_each_is_taken_once_by_many(database: Database) -> None:
    ids = {enqueue(database, subject(f"{number:08d}")).validation_id for number in range(20)}
    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(lambda _: take(database), range(20)))
    assert {lease.validation_id for lease in taken} == ids
    assert len({lease.fence for lease in taken}) == 20


def test_what_is_put_back_waits(database: Database) -> None:
    enqueue(database)
    lease = take(database)
    with database.write() as session:
        queue.put_back(session, lease, seconds=LONG, fault=True)
    assert take_none(database)
    assert refused(database, lease)
    other = enqueue(database, subject("00000002"))
    lease = take(database)
    assert lease.validation_id == other.validation_id
    with database.write() as session:
        queue.put_back(session, lease, seconds=0.0, fault=True)
    again = take(database)
    assert (again.faults, read(database, again.validation_id).attempts) == (1, 2)


def test_what_dead_workers_held_is_released(database: Database) -> None:
    enqueue(database)
    host, pid, start = own_mark().split("~")
    held = take(database, holder=f"{host}~{pid}~{int(start) - 1}")
    with database.write() as session:
        assert queue.release_dead(session) == 1
    assert take(database, holder=own_mark()).validation_id == held.validation_id
    with database.write() as session:
        assert queue.release_dead(session) == 0


def test_a_change_that_comes_twice_has_one_effect(database: Database) -> None:
    first = enqueue(database, change=7)
    assert enqueue(database, change=7) == first
    finish(database, take(database))
    assert enqueue(database, change=7).validation_id == first.validation_id
    assert take_none(database)


def test_a_later_change_takes_over(database: Database) -> None:
    first = enqueue(database, change=7)
    lease = take(database)
    second = enqueue(database, change=9)
    assert read(database, first.validation_id).state is ValidationState.CANCELLED
    assert refused(database, lease)
    assert take(database).validation_id == second.validation_id


def test_asking_again_while_it_is_under_way_makes_no_second(database: Database) -> None:
    first = enqueue(database)
    assert enqueue(database).validation_id == first.validation_id
    finish(database, take(database))
    assert enqueue(database).validation_id != first.validation_id


def test_what_was_given_up_is_known(database: Database) -> None:
    validation_id = enqueue(database).validation_id
    lease = take(database)

    def given_up() -> bool:
        with database.read() as session:
            return queue.is_given_up(session, validation_id)

    assert not given_up()
    with database.write() as session:
        queue.note_giving_up(session, lease)
    assert given_up()
    finish(database, lease, ValidationState.FAILED)
    assert given_up()


def test_changes_can_be_forgotten(database: Database) -> None:
    first = enqueue(database, change=7)
    finish(database, take(database))
    with database.write() as session:
        store.set_counter(session, store.CHANGE, 7)
        store.forget_changes(session)
        assert store.counter(session, store.CHANGE) == 0
    assert enqueue(database, change=7).validation_id != first.validation_id

"""Days of schedules under a clock of our own: Airflow's database, its dag processor's write and its scheduler's create.

What is expected comes from the evaluator of Quartz expressions alone: the fires of each schedule while it held.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from desk import Desk

from medallion.spec.quartz import Quartz

pytestmark = pytest.mark.airflow

LAG = timedelta(milliseconds=200)
"""How late the scheduler looks."""


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def fires(expression: str, zone: str, since: str, until: str) -> list[datetime]:
    """Fires after one moment and up to another."""
    quartz, moment, found = Quartz.parse(expression), at(since), []
    while (following := quartz.next_after(moment, zone)) is not None and following <= at(until):
        found.append(following)
        moment = following
    return found


@dataclass
class Days:
    """One job and a clock.

    :param dates: logical dates of the runs that were made, in the order in which they were.
    """

    desk: Desk
    dag_id: str
    clock: datetime
    dates: list[datetime] = field(default_factory=list)
    paused: bool = False
    missed: int = 0

    def schedule(self, expression: str, zone: str = "UTC", **more: Any) -> None:
        """Write the job and have it parsed now."""
        block = {"quartz_cron_expression": expression, "timezone_id": zone, **more}
        self.desk.put(self.dag_id, schedule=block)

    def until(self, text: str) -> None:
        """Let time go by with the scheduler running."""
        end = at(text)
        while (due := self.due()) is not None and due <= end and not self.paused:
            self.clock = max(self.clock, due + LAG)
            self.look()
        self.clock = end

    def jump(self, text: str) -> None:
        """Let time go by with the scheduler down."""
        self.clock = at(text)

    def due(self) -> datetime | None:
        found: datetime | None = self.desk.model(self.dag_id).next_dagrun_create_after
        return found

    def look(self) -> None:
        """One look of the scheduler; the run that it makes ends at once."""
        from airflow.models.dag import DagModel
        from airflow.models.dagrun import DagRun
        from airflow.utils.session import create_session
        from sqlalchemy import select, update

        before, planned = len(self.dates), self.due()
        self.desk.create_due(self.dag_id)
        with create_session() as session:
            session.execute(update(DagRun).where(DagRun.dag_id == self.dag_id).values(state="success"))
            session.execute(
                update(DagModel).where(DagModel.dag_id == self.dag_id).values(exceeds_max_non_backfill=False)
            )
            query = select(DagRun.logical_date).where(DagRun.dag_id == self.dag_id).order_by(DagRun.id)
            self.dates = list(session.scalars(query))
        if len(self.dates) == before:
            self.missed += 1
            assert self.due() != planned, "the scheduler would look at the same fire for ever"

    def airflow_pause(self, *, paused: bool) -> None:
        from airflow.models.dag import DagModel
        from airflow.utils.session import create_session
        from sqlalchemy import update

        with create_session() as session:
            session.execute(update(DagModel).where(DagModel.dag_id == self.dag_id).values(is_paused=paused))
        self.paused = paused


@pytest.fixture(scope="module")
def desk(airflow_database: None, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(tmp_path_factory.mktemp("desk"))


@pytest.fixture
def days(desk: Desk, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Days]:
    name = request.node.name.removeprefix("test_").partition("[")[0]
    days = Days(desk, f"{name[:60]}", at("2026-03-25T00:00"))
    monkeypatch.setattr("medallion.triggers.timetables.now", lambda: days.clock)
    yield days
    assert len(set(days.dates)) == len(days.dates), "a run was made twice"


def test_days_over_the_spring_change_of_the_clock(days: Days) -> None:
    days.schedule("0 30 2 * * ?", "Europe/Berlin")
    days.until("2026-04-02T00:00")
    expected = ["25T01:30", "26T01:30", "27T01:30", "28T01:30", "30T00:30", "31T00:30"]
    assert days.dates == [at(f"2026-03-{text}") for text in expected] + [at("2026-04-01T00:30")]


def test_days_over_the_autumn_change_of_the_clock(days: Days) -> None:
    days.jump("2026-10-24T12:00")
    days.schedule("0 0/30 1-3 * * ?", "Europe/Berlin")
    days.until("2026-10-26T12:00")
    assert days.dates == fires("0 0/30 1-3 * * ?", "Europe/Berlin", "2026-10-24T12:00", "2026-10-26T12:00")


def test_edits_take_effect_at_the_next_parse_with_no_run_twice_and_none_missed(days: Days) -> None:
    days.schedule("0 0 * * * ?")
    days.until("2026-03-25T10:20")
    days.schedule("0 15 * * * ?")
    days.until("2026-03-26T03:16")
    days.schedule("0 15 0/2 * * ?")
    days.until("2026-03-26T08:14")
    days.schedule("0 0 * * * ?")
    days.until("2026-03-26T12:00")
    assert days.dates == [
        *fires("0 0 * * * ?", "UTC", "2026-03-24T23:59:59.5", "2026-03-25T10:20"),
        *fires("0 15 * * * ?", "UTC", "2026-03-25T10:20", "2026-03-26T03:16"),
        *fires("0 15 0/2 * * ?", "UTC", "2026-03-26T03:16", "2026-03-26T08:14"),
        *fires("0 0 * * * ?", "UTC", "2026-03-26T08:14", "2026-03-26T12:00"),
    ]


def test_an_edit_of_the_zone_fires_by_the_new_zone_from_then_on(days: Days) -> None:
    days.jump("2026-03-07T00:00")
    days.schedule("0 0 8 * * ?", "UTC")
    days.until("2026-03-07T12:00")
    days.schedule("0 0 8 * * ?", "America/New_York")
    days.until("2026-03-09T12:30")
    days.schedule("0 0 8 * * ?", "Asia/Tokyo")
    days.until("2026-03-11T00:00")
    assert days.dates == [
        at(f"2026-03-{text}") for text in ("07T08:00", "07T13:00", "08T12:00", "09T12:00", "09T23:00", "10T23:00")
    ]


def test_a_parse_beside_a_fire_neither_loses_nor_doubles_it(days: Days) -> None:
    days.schedule("0 0 6 * * ?")
    days.until("2026-03-25T05:59")
    days.jump("2026-03-25T06:00:00.150")
    days.schedule("0 0 6 * * ?", "Etc/UTC")  # after the fire, before the scheduler has looked
    days.look()
    days.jump("2026-03-25T06:00:00.500")
    days.schedule("0 0 6 * * ?", "GMT")  # after the run was made
    days.until("2026-03-26T07:00")
    assert days.dates == [at("2026-03-25T06:00"), at("2026-03-26T06:00")]


def test_a_paused_schedule_fires_nothing_and_nothing_is_made_up_for(days: Days) -> None:
    days.schedule("0 0 * * * ?")
    days.until("2026-03-25T03:30")
    days.schedule("0 0 * * * ?", pause_status="PAUSED")
    assert days.due() is None
    days.until("2026-03-25T09:30")
    days.schedule("0 0 * * * ?", pause_status="UNPAUSED")
    days.until("2026-03-25T11:00")
    assert [date.hour for date in days.dates] == [0, 1, 2, 3, 10, 11]


def test_airflow_s_own_pause_is_not_made_up_for_either(days: Days) -> None:
    days.schedule("0 0 * * * ?")
    days.until("2026-03-25T03:30")
    days.airflow_pause(paused=True)
    days.until("2026-03-25T09:30")
    days.airflow_pause(paused=False)
    days.until("2026-03-25T11:00")
    assert [date.hour for date in days.dates] == [0, 1, 2, 3, 10, 11]
    assert days.missed == 1


@pytest.mark.parametrize(
    ("expression", "down", "up", "made"),
    [
        pytest.param("0 0 * * * ?", "03:30", "07:45", [0, 1, 2, 3, 8, 9], id="hours"),
        pytest.param("0 0 * * * ?", "03:59:30", "04:00:40", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], id="a short restart"),
    ],
)
def test_fires_while_the_scheduler_was_down_are_not_made_up_for(
    days: Days, expression: str, down: str, up: str, made: list[int]
) -> None:
    days.dag_id += str(len(made))
    days.schedule(expression)
    days.until(f"2026-03-25T{down}")
    days.jump(f"2026-03-25T{up}")
    days.until("2026-03-25T09:30")
    assert [date.hour for date in days.dates] == made


def test_seconds_are_not_made_up_for_after_a_restart(days: Days) -> None:
    days.schedule("0/10 * * * * ?")
    days.until("2026-03-25T00:01:05")
    days.jump("2026-03-25T00:01:37")
    days.until("2026-03-25T00:02:00")
    found = [f"{date:%M:%S}" for date in days.dates]
    assert found == [*(f"00:{second}0" for second in range(6)), "01:00", "01:40", "01:50", "02:00"]


def test_an_airflow_backfill_has_every_fire_of_its_range(desk: Desk) -> None:
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.utils.session import create_session

    block = {"quartz_cron_expression": "0 0 6 ? * MON-FRI", "timezone_id": "UTC", "pause_status": "PAUSED"}
    dag_id = desk.put("filled", schedule=block)
    with create_session() as session:
        kept = SerializedDagModel.get(dag_id, session=session)
        assert kept is not None
        found = kept.dag.iter_dagrun_infos_between(at("2026-03-27T06:00"), at("2026-03-31T06:00"))
        assert [info.logical_date for info in found] == [at(f"2026-03-{day}T06:00") for day in (27, 30, 31)]

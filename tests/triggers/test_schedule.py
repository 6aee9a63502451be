"""What a job's trigger blocks become: words, what Airflow keeps of them, what a run is told, what people are shown."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from medallion.errors import MedallionError
from medallion.settings import Settings
from medallion.spec.job import Job
from medallion.triggers.entries import Entry, entries_of
from medallion.triggers.firing import Firing, firings_of
from medallion.triggers.sql_gate import ask

pytestmark = pytest.mark.airflow

HOURLY = {"quartz_cron_expression": "0 0 * * * ?", "timezone_id": "UTC"}
DAILY = {"quartz_cron_expression": "0 30 6 * * ?", "timezone_id": "UTC"}
FILES = {"file_arrival": {"url": "/Volumes/a/b/c"}}
TABLES = {"table_update": {"table_names": ["a.b.c", "a.b.d"]}}
QUERY = {"sql_query_id": "q", "warehouse_id": "w"}
MODEL = {"model": {"condition": "MODEL_CREATED"}}
JOBS = {"job_completion": {"jobs": [{"workspace_id": "0", "job_id": "7"}], "if_status": "DONE"}}


def job(**blocks: Any) -> Job:
    return Job.model_validate({"name": "j", **blocks})


SUMMARIES = [
    pytest.param({}, None, id="none"),
    pytest.param({"trigger": FILES}, "New files in /Volumes/a/b/c", id="files"),
    pytest.param({"trigger": TABLES}, "Commits to a.b.c, a.b.d", id="tables"),
    pytest.param({"trigger": JOBS}, "End of job 7", id="completion"),
    pytest.param({"trigger": {**FILES, "pause_status": "PAUSED"}}, "Paused: new files in /Volumes/a/b/c", id="paused"),
    pytest.param(
        {"trigger": {**FILES, "sql_condition": QUERY}},
        "New files in /Volumes/a/b/c, if query q says so",
        id="condition",
    ),
    pytest.param(
        {"schedule": {**HOURLY, "sql_condition": QUERY}}, "0 0 * * * ? (UTC), if query q says so", id="asked schedule"
    ),
    pytest.param(
        {"triggers": [{"schedule": HOURLY}, {**FILES, "pause_status": "PAUSED"}, TABLES]},
        "0 0 * * * ? (UTC) or New files in /Volumes/a/b/c (paused) or Commits to a.b.c, a.b.d",
        id="several",
    ),
    pytest.param(
        {"triggers": [{"schedule": HOURLY}, {"periodic": {"interval": 1, "unit": "DAYS"}}]},
        "0 0 * * * ? (UTC) or Every day",
        id="two times",
    ),
    pytest.param({"triggers": [FILES, {"continuous": {}}]}, "Continuous", id="continuous beside files"),
    pytest.param(
        {"triggers": [FILES, {"continuous": {}, "pause_status": "PAUSED"}]},
        "New files in /Volumes/a/b/c",
        id="paused continuous beside files",
    ),
    pytest.param({"trigger": MODEL}, "Model: not watched on this machine, which has no model registry", id="model"),
]


@pytest.mark.parametrize(("blocks", "summary"), SUMMARIES)
def test_the_list_of_dags_says_what_starts_a_job(blocks: dict[str, Any], summary: str | None) -> None:
    from medallion.triggers.schedule import schedule_of

    found = schedule_of(job(**blocks), "j")
    assert (None if found is None else found.summary) == summary


def test_airflow_keeps_a_watched_timetable_with_its_watcher() -> None:
    from airflow.serialization.decoders import decode_asset_like

    from medallion.triggers.schedule import schedule_of
    from medallion.triggers.watched import WatchedTimetable

    made = schedule_of(job(triggers=[{"schedule": DAILY}, TABLES]), "j")
    again = WatchedTimetable.deserialize(made.serialize())
    assert again.summary == made.summary
    assert again.can_be_scheduled
    names = {asset.name for _, asset in decode_asset_like(made.serialize()["asset_condition"]).iter_assets()}
    assert names == {"start of j", "a.b.c", "a.b.d"}


@pytest.mark.parametrize(
    ("events", "holds"), [(["start of j"], True), (["a.b.c", "a.b.d"], False), ([], False)], ids=str
)
def test_a_table_s_own_event_starts_nothing_and_the_watcher_s_does(events: list[str], holds: bool) -> None:
    from airflow.sdk import Asset
    from airflow.sdk.definitions.asset import AssetAll, AssetAny

    from medallion.triggers.assets import condition_of

    def met(condition: Any) -> bool:
        if isinstance(condition, Asset):
            return condition.name in events
        join = {AssetAll: all, AssetAny: any}[type(condition)]
        return join(met(item) for item in condition.objects)

    assert met(condition_of("j", entries_of(job(trigger=TABLES)))) is holds


def test_times_without_a_query_are_not_watched_and_keys_stay_when_one_is_paused() -> None:
    blocks = [{"schedule": HOURLY}, {**FILES, "pause_status": "PAUSED"}, {**FILES, "sql_condition": QUERY}, MODEL]
    assert [entry.key for entry in entries_of(job(triggers=blocks))] == ["file_arrival.1"]


def test_an_entry_survives_airflow() -> None:
    (entry,) = entries_of(job(trigger={**TABLES, "sql_condition": QUERY}))
    assert Entry.from_json(entry.to_json()) == entry


def test_the_next_time_of_several_schedules_is_the_earliest() -> None:
    from medallion.triggers.watched import EarliestTimetable

    both = EarliestTimetable([["schedule", DAILY], ["schedule", HOURLY]])
    assert both.next_fire(datetime(2026, 1, 1, 6, 10, tzinfo=UTC)) == datetime(2026, 1, 1, 6, 30, tzinfo=UTC)
    assert both.next_fire(datetime(2026, 1, 1, 6, 30, tzinfo=UTC)) == datetime(2026, 1, 1, 7, 0, tzinfo=UTC)


def test_a_run_for_several_firings_is_told_of_all() -> None:
    from medallion.triggers.listener import conf_of

    def event(key: str, kind: str, at: float, **facts: Any) -> dict[str, Any]:
        return {"from_trigger": True, "payload": Firing(f"f{at}", "j", key, kind, at, facts).to_payload()}

    table = {"version": 3, "commit_timestamp": "2026-01-01T00:00:00+00:00"}
    extras = [
        event("table_update.0", "table_update", 2, tables={"a.b.c": table}),
        {"somebody": "else"},
        event("file_arrival.0", "file_arrival", 1, location="/Volumes/a/b/c", files=["x"], count=1),
    ]
    conf = conf_of(firings_of(extras))
    assert conf["trigger_type"] == "table"
    assert conf["file_arrival_location"] == "/Volumes/a/b/c"
    assert conf["updated_tables"] == ["a.b.c"]
    assert conf["table_updates"] == {"a.b.c": table}
    assert [told["key"] for told in conf["triggers"]] == ["file_arrival.0", "table_update.0"]


def test_a_query_without_text_says_where_to_put_it(tmp_path: Path) -> None:
    (entry,) = entries_of(job(trigger={**FILES, "sql_condition": QUERY}))
    with pytest.raises(MedallionError, match=r"medallion\.toml"):
        ask(Settings.load(tmp_path, environ={}), entry, None)


def test_the_page_shows_nothing_of_a_job_as_html() -> None:
    from medallion.triggers.outlook import Outlook, TriggerOutlook
    from medallion.web.triggers import page_of

    bad = "<script>alert(1)</script>"
    tables = {bad: {"version": 1, "updated": True}}
    trigger = TriggerOutlook("k", bad, paused=False, says=bad, seen={"tables": tables}, problem=bad)
    firing = Firing("f", "j", "k", "file_arrival", 0.0, {"files": [bad], "count": 1})
    text = page_of(Outlook(bad, "j", bad, (trigger,), (firing,)))
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_the_outlook_names_the_next_times_and_what_was_not_looked_at_yet(tmp_path: Path) -> None:
    from medallion.triggers.outlook import outlook

    settings = Settings.load(tmp_path, environ={})
    now = datetime(2026, 3, 1, 5, 59, 59, tzinfo=UTC)
    told = outlook(settings, "j", job(triggers=[{"schedule": DAILY}, FILES]), 2, now).to_json()
    first, second = told["triggers"]
    assert first["next"] == ["2026-03-01T06:30:00+00:00", "2026-03-02T06:30:00+00:00"]
    assert first["description"] == "At 06:30, every day"
    assert (second["next"], second["watching"], second["seen"]) == ([], False, {})


@pytest.mark.parametrize(
    ("between", "wait", "says"),
    [
        (60, 90, "at least 60 s between firings, 90 s after the last change"),
        (60, None, "at least 60 s between firings"),
        (None, 90, "90 s after the last change"),
        (None, None, None),
    ],
)
def test_the_outlook_tells_the_timers(tmp_path: Path, between: int | None, wait: int | None, says: str | None) -> None:
    from medallion.triggers.outlook import outlook

    timers = {"min_time_between_triggers_seconds": between, "wait_after_last_change_seconds": wait}
    block = {"file_arrival": {"url": "/Volumes/a/b/c", **{name: value for name, value in timers.items() if value}}}
    (told,) = outlook(Settings.load(tmp_path, environ={}), "j", job(trigger=block), 2).to_json()["triggers"]
    assert told["description"] == says

"""Watched triggers as timetables. Loaded by the dag processor, the scheduler and the API server through the plugin."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction
from airflow.timetables.simple import AssetTriggeredTimetable

from medallion.triggers.timetables import LakeflowTimetable, PeriodicTimetable, QuartzTimetable

if TYPE_CHECKING:
    from airflow.models.dag import DagModel
    from pendulum import DateTime


def timed(kind: str, settings: Mapping[str, Any]) -> LakeflowTimetable:
    """The timetable of a `schedule` or `periodic` block."""
    if kind == "schedule":
        return QuartzTimetable(settings["quartz_cron_expression"], settings["timezone_id"])
    return PeriodicTimetable(int(settings["interval"]), str(settings["unit"]))


def next_fire_of(kind: str, settings: Mapping[str, Any]) -> Callable[[datetime], datetime | None]:
    """Gives the first fire of a block strictly after a moment."""
    return timed(kind, settings).next_fire


class EarliestTimetable(LakeflowTimetable):
    """The times of several blocks of `triggers`: each of them starts a run.

    :param blocks: kind and settings of each, as JSON.
    """

    def __init__(self, blocks: Sequence[Sequence[Any]]) -> None:
        super().__init__()
        self.blocks = [list(block) for block in blocks]
        self.parts = [timed(str(kind), settings) for kind, settings in self.blocks]

    @property
    def words(self) -> str:
        """All of them."""
        return " or ".join(part.words for part in self.parts)

    def validate(self) -> None:
        """Refuse what one of them refuses."""
        for part in self.parts:
            part.validate()

    def next_fire(self, after: datetime) -> datetime | None:
        """The earliest of their next fires."""
        return min((found for part in self.parts if (found := part.next_fire(after)) is not None), default=None)

    def serialize(self) -> dict[str, Any]:
        """What the serialised DAG keeps."""
        return {"blocks": self.blocks}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> EarliestTimetable:
        """The timetable that `serialize` wrote."""
        return cls(data["blocks"])


class WatchedTimetable(AssetTriggeredTimetable):
    """A job that a watcher starts; with `blocks` also one that times start.

    :param assets: see `assets.condition_of`.
    :param text: the triggers as a person reads them.
    :param blocks: as of `EarliestTimetable`.
    """

    def __init__(self, assets: Any, text: str, blocks: Sequence[Sequence[Any]] = ()) -> None:
        super().__init__(assets)
        self.text = text
        self.blocks = [list(block) for block in blocks]
        self.times = EarliestTimetable(self.blocks) if self.blocks else None
        self.periodic = bool(self.blocks)
        self.can_be_scheduled = bool(self.blocks)

    @property
    def summary(self) -> str:
        """What the list of DAGs shows."""
        return self.text

    @property
    def description(self) -> str:
        """The longer text in the UI."""
        return self.text

    @description.setter
    def description(self, value: str) -> None:
        """Airflow's base class sets it; the words are given."""

    def validate(self) -> None:
        """Refuse times that Quartz refuses."""
        if self.times is not None:
            self.times.validate()

    def serialize(self) -> dict[str, Any]:
        """What the serialised DAG keeps."""
        return {**super().serialize(), "text": self.text, "blocks": self.blocks}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> WatchedTimetable:
        """The timetable that `serialize` wrote."""
        from airflow.serialization.decoders import decode_asset_like

        return cls(decode_asset_like(data["asset_condition"]), data["text"], data["blocks"])

    def infer_manual_data_interval(self, *, run_after: DateTime) -> DataInterval:
        """A run by hand covers the moment it starts."""
        return DataInterval.exact(run_after)

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """The next run by time."""
        if self.times is None:
            return None
        return self.times.next_dagrun_info(
            last_automated_data_interval=last_automated_data_interval, restriction=restriction
        )

    def next_run_info_from_dag_model(self, *, dag_model: DagModel) -> DagRunInfo | None:
        """What the scheduler is about to create by time."""
        if self.times is None:
            return super().next_run_info_from_dag_model(dag_model=dag_model)
        return self.times.next_run_info_from_dag_model(dag_model=dag_model)

    def generate_run_id(self, *, run_type: Any, **facts: Any) -> str:
        """As Airflow names runs of times, or of assets."""
        if self.times is not None and str(getattr(run_type, "value", run_type)) != "asset_triggered":
            return self.times.generate_run_id(run_type=run_type, **facts)
        return super().generate_run_id(run_type=run_type, **facts)

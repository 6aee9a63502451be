"""When a job starts: schedule, trigger, continuous, and the preview of several triggers. Pure."""

from __future__ import annotations

from medallion.spec.enums import (
    CompletionStatus,
    DayOfWeek,
    ModelCondition,
    PauseStatus,
    PeriodicUnit,
    SqlConditionMode,
    TableCondition,
    TaskRetryMode,
)
from medallion.spec.model import Int, Model, Texts


class SqlCondition(Model):
    """A query that is asked after the trigger fired and decides whether the run starts."""

    sql_query_id: str
    warehouse_id: str
    trigger_mode: SqlConditionMode | None = None


class CronSchedule(Model):
    """A Quartz expression in a Java time zone."""

    quartz_cron_expression: str
    timezone_id: str
    pause_status: PauseStatus | None = None
    sql_condition: SqlCondition | None = None


class MaintenanceWindow(Model):
    """When a continuous job may be restarted for maintenance."""

    start_hour: Int
    day_of_week: DayOfWeek
    timezone_id: str


class Continuous(Model):
    """Always one run."""

    maintenance_window: MaintenanceWindow | None = None
    pause_status: PauseStatus | None = None
    task_retry_mode: TaskRetryMode | None = None


class PeriodicTrigger(Model):
    """Every so many units; the service picks the phase."""

    interval: Int
    unit: PeriodicUnit


class FileArrivalTrigger(Model):
    """New files below an external location or a volume. Both times are seconds, 60 or more."""

    url: str
    min_time_between_triggers_seconds: Int | None = None
    wait_after_last_change_seconds: Int | None = None


class TableUpdateTrigger(Model):
    """Commits to tables. Both times are seconds, 60 or more."""

    table_names: Texts
    condition: TableCondition | None = None
    min_time_between_triggers_seconds: Int | None = None
    wait_after_last_change_seconds: Int | None = None


class ModelTrigger(Model):
    """Changes of registered models. Both times are seconds."""

    condition: ModelCondition
    aliases: Texts | None = None
    min_time_between_triggers_seconds: Int | None = None
    securable_name: str | None = None
    wait_after_last_change_seconds: Int | None = None


class MonitoredJob(Model):
    """A job that a job-completion trigger waits for. Ids are text here."""

    workspace_id: str
    job_id: str


class JobCompletionTrigger(Model):
    """Fires after all listed jobs have ended as `if_status` says."""

    jobs: tuple[MonitoredJob, ...]
    if_status: CompletionStatus | None = None


class Trigger(Model):
    """The job's trigger: one of its kinds is set."""

    file_arrival: FileArrivalTrigger | None = None
    job_completion: JobCompletionTrigger | None = None
    model: ModelTrigger | None = None
    pause_status: PauseStatus | None = None
    periodic: PeriodicTrigger | None = None
    sql_condition: SqlCondition | None = None
    table_update: TableUpdateTrigger | None = None


class CronTrigger(Model):
    """A schedule as an entry of `triggers`; the pause status stands on the entry."""

    quartz_cron_expression: str
    timezone_id: str


class ContinuousTrigger(Model):
    """Continuous as an entry of `triggers`; the pause status stands on the entry."""

    maintenance_window: MaintenanceWindow | None = None
    task_retry_mode: TaskRetryMode | None = None


class TriggerEntry(Model):
    """One of several triggers: one of its kinds is set; a run starts when any entry fires."""

    continuous: ContinuousTrigger | None = None
    file_arrival: FileArrivalTrigger | None = None
    job_completion: JobCompletionTrigger | None = None
    model: ModelTrigger | None = None
    pause_status: PauseStatus | None = None
    periodic: PeriodicTrigger | None = None
    schedule: CronTrigger | None = None
    sql_condition: SqlCondition | None = None
    table_update: TableUpdateTrigger | None = None

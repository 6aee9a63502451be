"""Who is told of what: notifications and health rules of jobs and tasks. Pure."""

from __future__ import annotations

from medallion.spec.enums import HealthMetric, HealthOperator
from medallion.spec.model import Bool, Int, Model, Texts


class EmailNotifications(Model):
    """Addresses for each event, of a job or a task."""

    no_alert_for_skipped_runs: Bool | None = None
    on_duration_warning_threshold_exceeded: Texts | None = None
    on_failure: Texts | None = None
    on_maintenance_complete: Texts | None = None
    on_maintenance_start: Texts | None = None
    on_start: Texts | None = None
    on_streaming_backlog_exceeded: Texts | None = None
    on_success: Texts | None = None


class Webhook(Model):
    """A notification destination of the workspace."""

    id: str


class WebhookNotifications(Model):
    """Destinations for each event, of a job or a task."""

    on_duration_warning_threshold_exceeded: tuple[Webhook, ...] | None = None
    on_failure: tuple[Webhook, ...] | None = None
    on_maintenance_complete: tuple[Webhook, ...] | None = None
    on_maintenance_start: tuple[Webhook, ...] | None = None
    on_start: tuple[Webhook, ...] | None = None
    on_streaming_backlog_exceeded: tuple[Webhook, ...] | None = None
    on_success: tuple[Webhook, ...] | None = None


class JobNotificationSettings(Model):
    """What mutes a job's notifications."""

    no_alert_for_canceled_runs: Bool | None = None
    no_alert_for_skipped_runs: Bool | None = None


class TaskNotificationSettings(Model):
    """What mutes a task's notifications."""

    alert_on_last_attempt: Bool | None = None
    no_alert_for_canceled_runs: Bool | None = None
    no_alert_for_skipped_runs: Bool | None = None


class HealthRule(Model):
    """One rule: when `metric` is over `value`, those who asked are told."""

    metric: HealthMetric
    op: HealthOperator
    value: Int


class HealthRules(Model):
    """The rules of a job or a task."""

    rules: tuple[HealthRule, ...] | None = None

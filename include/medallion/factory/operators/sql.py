"""SQL tasks: a file, a query, an alert; dashboards need Databricks. Also alert tasks. Runs in the Airflow task process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from medallion.factory.log import show
from medallion.factory.operators.process import ProcessOperator
from medallion.factory.refusals import sql_dashboard
from medallion.factory.work import Work, sql_parameters

if TYPE_CHECKING:
    from medallion.factory.alerts import Alert
    from medallion.factory.work import Payload
    from medallion.settings import Settings

UNSENT = "Subscribers of the alert are not told: users and destinations of alerts are Databricks' own"


class SqlOperator(ProcessOperator):
    """Finds the text of a SQL task; the task's process runs it."""

    def work_of(self, payload: Payload, parameters: Mapping[str, str], settings: Settings) -> Work:
        """The text by the one of four that the task has."""
        from medallion.factory.alerts import find_alert, query_text

        if alert := payload.get("alert"):
            if alert.get("subscriptions"):
                show(UNSENT)
            return alert_work(find_alert(self.definition, settings, str(alert["alert_id"])))
        if query := payload.get("query"):
            text = query_text(settings, str(query["query_id"]))
            return Work("sql", str(query["query_id"]), sql_parameters(payload, parameters), options={"sql": text})
        if payload.get("dashboard"):
            raise sql_dashboard(self.task.task_key)
        return super().work_of(payload, parameters, settings)


class AlertOperator(ProcessOperator):
    """An alert by its id or by its file in the workspace."""

    def work_of(self, payload: Payload, parameters: Mapping[str, str], settings: Settings) -> Work:
        """The alert's query and rule."""
        from medallion.compute.paths import to_local
        from medallion.factory.alerts import AlertError, alert_in, find_alert

        if payload.get("subscribers"):
            show(UNSENT)
        given = {name: str(value) for name, value in (payload.get("parameters") or {}).items()}
        if payload.get("alert_id"):
            found = find_alert(self.definition, settings, str(payload["alert_id"]))
        elif path := payload.get("workspace_path"):
            local = to_local(str(path), self.places(settings))
            found = alert_in(Path(local) if local.startswith("/") else self.definition.root / local, settings)
        else:
            raise AlertError(f"task {self.task.task_key}: the alert task has neither alert_id nor workspace_path")
        return alert_work(found, given)


def alert_work(alert: Alert, parameters: Mapping[str, str] | None = None) -> Work:
    """What the process is told of an alert."""
    options = {"sql": alert.sql, "alert": {"name": alert.name, **alert.rule}}
    return Work("sql", alert.name, parameters or {}, options=options)

"""What the forked process of one task does: supervise it, with an execution API of its own. In a child of the run.

Airflow's supervisor asks an API server for the task's context and tells it the task's end. Under the scheduler that is
the API server of `medallion up`; here it is the same application inside this process, without a port.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn, cast

from medallion.core.descendants import end_below

if TYPE_CHECKING:
    from airflow.executors.workloads import ExecuteTask


def warm_up() -> None:
    """Build the execution API's application before the first fork: its routes take 3 s, and 0.05 s when inherited.

    No thread and no connection may come of it: both break in forked children.
    """
    import asyncio

    import httpx
    from airflow.sdk.execution_time import task_runner  # noqa: F401  the task's own process needs it
    from airflow.sdk.execution_time.supervisor import in_process_api_server

    from medallion.components.preload import import_ahead

    import_ahead()
    newest_version_only()
    api = in_process_api_server()

    async def ask() -> None:
        transport = httpx.ASGITransport(app=api.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://in-process.invalid") as client:
            await client.get("/variables/none")
            (await client.get("/health")).raise_for_status()

    asyncio.run(ask())


def newest_version_only() -> None:
    """Leave the API's older versions out: this process asks in the newest only, and each of nine costs 0.3 s to build."""
    from airflow.api_fastapi.execution_api import versions
    from airflow.api_fastapi.execution_api.routes import execution_api_router
    from cadwyn import HeadVersion, Version, VersionBundle
    from cadwyn.route_generation import _DELETED_ROUTE_TAG

    newest = versions.bundle.versions[0].value
    versions.bundle = VersionBundle(HeadVersion(), Version(newest))
    # Routes that only older versions have would be refused now.
    own = execution_api_router.routes
    own[:] = [route for route in own if _DELETED_ROUTE_TAG not in getattr(route, "tags", ())]


def fresh_connections() -> None:
    """Forget the parent's database connections; a connection must not be shared between processes."""
    from airflow import settings

    if settings.engine is not None:
        settings.engine.dispose(close=False)


def supervise_in_child(workload: ExecuteTask) -> None:
    """Run one task instance to its end, its log in its log file. Ends with Airflow's exit status."""
    from airflow.sdk.execution_time.supervisor import InProcessTestSupervisor, supervise_task

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Airflow's supervisor passes SIGTERM on once its task is up; one that comes before must not leave the task behind.
    signal.signal(signal.SIGTERM, end_with_all_below)
    fresh_connections()
    make_client: Callable[[], Any] = InProcessTestSupervisor._api_client
    status = supervise_task(
        ti=cast("Any", workload.ti),
        bundle_info=workload.bundle_info,
        dag_rel_path=workload.dag_rel_path,
        token="",
        log_path=workload.log_path,
        client=make_client(),
    )
    leave(status)


def end_with_all_below(number: int, _frame: object) -> NoReturn:
    """End this process and all that it has started, as a handler of a signal."""
    end_below(os.getpid())
    os._exit(128 + number)


def defer_in_child(instance_id: Any) -> None:
    """Wait for a deferred task's trigger, here and not in a triggerer, and hand its event over."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.trigger import Trigger
    from airflow.sdk._shared.module_loading import import_string
    from airflow.sdk.execution_time.supervisor import InProcessTestSupervisor
    from airflow.utils.session import create_session

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    fresh_connections()
    with create_session() as session:
        instance = session.get(TaskInstance, instance_id)
        row = session.get(Trigger, instance.trigger_id) if instance and instance.trigger_id else None
        if row is None:
            leave(0)
        trigger_id, trigger = row.id, import_string(row.classpath)(**row.kwargs)

    # A trigger asks Airflow through its supervisor, as a task does.
    wait: Callable[..., Any] = InProcessTestSupervisor.run_trigger_in_process
    try:
        event = wait(trigger=trigger, ti=SimpleNamespace(id=instance_id))
    except Exception as error:  # noqa: BLE001  a trigger may fail in any way, and then its task does
        with create_session() as session:
            Trigger.submit_failure(trigger_id=trigger_id, exc=error, session=session)
        leave(1)
    if event is not None:
        with create_session() as session:
            Trigger.submit_event(trigger_id=trigger_id, event=event, session=session)
    leave(0)


def leave(status: int) -> NoReturn:
    """End a forked child without the parent's exit handlers."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)

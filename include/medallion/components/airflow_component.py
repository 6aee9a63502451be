"""One component of Airflow as `medallion up` has it: `python -m medallion.components.airflow_component NAME`.

The scheduler and the triggerer serve the logs of running tasks, by default to the whole network, and Airflow has no
setting for the address. All components of `medallion up` are on this machine, so nobody else needs to ask. An idle scheduler
sleeps until there is something to do.
"""

from __future__ import annotations

import sys
from typing import Any

from medallion.compute.master import LOOPBACK


def serve_logs(port: int | None = None) -> None:
    """Airflow's log server on loopback. In a process of its own, which the component starts."""
    import uvicorn
    from airflow.utils.serve_logs.core import serve_logs as airflows

    everywhere = uvicorn.run

    def on_loopback(app: Any, **options: Any) -> None:
        everywhere(app, **{**options, "host": LOOPBACK})

    uvicorn.run = on_loopback
    airflows(port)  # type: ignore[no-untyped-call]


def main() -> None:
    """Airflow's own command line, with that server in place of its own."""
    from airflow import __main__ as airflow
    from airflow.utils import serve_logs as package

    # By its module's name: where processes are spawned, the target is looked up again.
    from medallion.components import airflow_component, idle_pause

    package.serve_logs = airflow_component.serve_logs
    if sys.argv[1:2] == ["scheduler"]:
        idle_pause.install()
    sys.argv[0] = "airflow"
    airflow.main()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()

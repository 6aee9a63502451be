"""Runs one job after the other by the runner of `medallion run`, in one process, so that Airflow is loaded once.

Standard input: a request in each line, `{"dag_id": …, "conf": …}`. Standard output: the last snapshot of each run, and how
long it took.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from medallion.components.run_loop import RunLoop
from medallion.components.run_process import BUNDLE, Request, make_run, publish, repair_run
from medallion.components.task_process import warm_up
from medallion.errors import MedallionError
from medallion.settings import Settings


def main() -> None:
    dag_file, parallelism = Path(sys.argv[1]), int(sys.argv[2])
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    from airflow.utils.session import create_session

    warm, home = False, Settings.load().home
    for line in sys.stdin:
        asked = json.loads(line)
        begun = time.monotonic()
        whole = asked.pop("whole", False)
        with create_session() as session:
            folder = str(dag_file.parent)
            request = Request(
                dags=str(dag_file), folder=folder, parallelism=parallelism, markers="", whole=whole, **asked
            )
            try:
                dag = publish(request, session)
            except MedallionError as error:
                out.write(json.dumps({"error": str(error)}) + "\n")
                continue
            if not warm:
                warm_up()
                warm = True
            try:
                run = make_run(request, dag, session) if request.repair is None else repair_run(request, dag, session)
            except MedallionError as error:
                session.rollback()
                out.write(json.dumps({"error": str(error)}) + "\n")
                continue
            changes: list[Any] = []
            loop = RunLoop(session, run, BUNDLE, parallelism, home, changes.append)
            last = loop.drive()
        out.write(json.dumps({"snapshot": asdict(last), "seconds": time.monotonic() - begun}, default=str) + "\n")


if __name__ == "__main__":
    main()

"""One look of a jobs service that writes the system tables; ends when all is written."""

from __future__ import annotations

import threading
import time

from medallion.runs.service import Service, make_consumers, only_one
from medallion.settings import Settings

if __name__ == "__main__":
    settings = Settings.load()
    with only_one(settings.home, "airflow", threading.Event(), lambda: None):
        service = Service(settings, make_consumers(settings, ["medallion.runs.system_tables.consumer.SystemTables"]))
        service.start()
        service.look()
        end = time.monotonic() + 60
        while service.waiting() and time.monotonic() < end:
            time.sleep(0.05)
        service.stop()
        service.consumers[0].tick(time.time())

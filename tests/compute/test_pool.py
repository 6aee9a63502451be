from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from namespace import IN_NAMESPACE

from medallion.compute.connection import Connection
from medallion.compute.driver import DriverSpec
from medallion.compute.pool import DriverPool
from medallion.compute.processes import family
from medallion.errors import DriverLostError, TargetError
from medallion.settings import Settings

pytestmark = pytest.mark.spark

SPEC = DriverSpec(master="local[1]", memory="512m")


@pytest.fixture
def own_pool(tmp_path: Path) -> Iterator[DriverPool]:
    environ = {"MEDALLION_DRIVER_START_SECONDS": "300", "MEDALLION_DRIVER_IDLE_SECONDS": "2"}
    pool = DriverPool(Settings.load(tmp_path, environ=environ))
    yield pool
    pool.stop()


def wait_until(condition: Callable[[], Any], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.1)


ACQUIRE = """
import sys
from pathlib import Path
from medallion.compute.driver import DriverSpec
from medallion.compute.pool import DriverPool
from medallion.settings import Settings
environ = {"MEDALLION_DRIVER_START_SECONDS": "300", "MEDALLION_DRIVER_IDLE_SECONDS": "2"}
pool = DriverPool(Settings.load(Path(sys.argv[1]), environ=environ))
print(pool.acquire(DriverSpec(master="local[1]", memory="512m"), sys.argv[2]))
"""


WORK = """
import sys, time
from pathlib import Path
from medallion.compute.session import attach, is_driver_lost
spark = attach(Path(sys.argv[1]), tag="work")
print("working", flush=True)
try:
    while True:
        spark.range(5).count()
except Exception as error:
    print("lost", is_driver_lost(error), is_driver_lost(ValueError("mine")))
"""


def test_the_life_of_drivers(own_pool: DriverPool) -> None:
    """One story, since each driver costs seconds: two starters, a killed JVM, a killed host, idleness."""
    project = str(own_pool.settings.project)
    both = [
        subprocess.Popen([sys.executable, "-c", ACQUIRE, project, f"run/{number}"], stdout=subprocess.PIPE, text=True)
        for number in range(2)
    ]
    files = {process.communicate(timeout=300)[0].strip() for process in both}
    (driver,) = own_pool.drivers()
    assert files == {str(own_pool.root / driver.driver / "connection.json")}
    assert set(driver.holders) == {"run/0", "run/1"}
    assert driver.state == "ready"
    assert driver.memory > 50_000_000

    file = Path(files.pop())
    check_it_is_closed_to_others(file, driver.pid)
    assert own_pool.release_run("run/") == 2
    assert own_pool.acquire(SPEC, "me") == file, "a live driver is shared"
    check_another_host_leaves_it_alone(own_pool, file)

    task = subprocess.Popen([sys.executable, "-c", WORK, str(file)], stdout=subprocess.PIPE, text=True)
    assert task.stdout is not None
    assert task.stdout.readline().strip() == "working"
    os.kill(driver.pid or 0, signal.SIGKILL)
    assert task.communicate(timeout=60)[0].strip() == "lost True False"
    connection = Connection.load(file) if file.exists() else None
    wait_until(lambda: not psutil.pid_exists(driver.host_pid or 0))
    assert connection is None or not connection.alive()
    with pytest.raises(DriverLostError) as lost:
        Connection.load(file)
    assert lost.value.transient
    second = own_pool.acquire(SPEC, "me")
    assert second != file, "the next attempt gets a new one"

    (driver,) = own_pool.drivers()
    os.kill(driver.host_pid or 0, signal.SIGKILL)
    wait_until(lambda: not family(driver.pid or 0))  # the JVM ends with its host
    assert own_pool.drivers()[0].state == "gone"

    third = own_pool.acquire(SPEC, "me")
    assert {item.driver for item in own_pool.drivers()} == {third.parent.name}, "the dead one is removed"
    processes = family(own_pool.drivers()[0].host_pid or 0)
    own_pool.release("me")
    wait_until(lambda: own_pool.drivers() == [])  # without a lease it ends by itself
    wait_until(lambda: not any(process.is_running() for process in processes))


ELSEWHERE = """
import json, sys
from pathlib import Path
from medallion.compute.connection import Connection
from medallion.compute.driver import DriverSpec
from medallion.compute.pool import DriverPool
from medallion.errors import DriverLostError
from medallion.settings import Settings
pool = DriverPool(Settings.load(Path(sys.argv[1]), environ={"MEDALLION_DRIVER_START_SECONDS": "300"}))
seen = [item.driver for item in pool.drivers()]
try:
    Connection.load(Path(sys.argv[2]))
    said = ""
except DriverLostError as error:
    said = str(error)
own = pool.acquire(DriverSpec(master="local[1]", memory="512m"), "theirs")
works = Connection.load(own).alive()
pool.stop()
print(json.dumps([seen, said, str(own), works, pool.release_run("me")]))
"""


def check_another_host_leaves_it_alone(pool: DriverPool, file: Path) -> None:
    """A PID namespace of its own on the same disk, as containers have: none of our pids means anything there."""
    inside = [*IN_NAMESPACE, sys.executable, "-c", ELSEWHERE]
    project = str(pool.settings.project)
    done = subprocess.run([*inside, project, str(file)], stdout=subprocess.PIPE, text=True, timeout=300, check=True)
    seen, said, own, works, released = json.loads(done.stdout)
    assert seen == []
    assert "another host" in said
    assert own != str(file)
    assert works
    assert released == 1, "what names a run is given back from wherever the run is ended"
    assert Connection.load(file).alive()
    assert pool.acquire(SPEC, "me") == file, "and it is still shared"


def check_it_is_closed_to_others(file: Path, pid: int | None) -> None:
    """The gateway and all other sockets listen on loopback; the secret is for this user alone."""
    listening = [item.laddr.ip for item in psutil.Process(pid).net_connections("inet") if item.status == "LISTEN"]
    assert listening
    assert all(address.endswith("127.0.0.1") for address in listening), listening
    secret = file.with_name("secret")
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert secret.read_text() not in file.read_text()
    assert secret.read_text() not in " ".join(psutil.Process(pid).cmdline())


def test_stop_leaves_nothing_running(own_pool: DriverPool) -> None:
    own_pool.acquire(SPEC, "me")
    (driver,) = own_pool.drivers()
    processes = family(driver.host_pid or 0)
    assert len(processes) >= 2
    own_pool.stop(driver.driver)
    assert not any(process.is_running() for process in processes)
    assert own_pool.drivers() == []
    assert [path for path in own_pool.root.iterdir() if path.is_dir()] == []
    assert (own_pool.root.parent / "logs").is_dir()


def test_a_driver_that_cannot_start_shows_its_log(own_pool: DriverPool) -> None:
    broken = DriverSpec(memory="512m", spark_conf={"spark.driver.extraJavaOptions": "-XX:MaxHeapFreeRatio=nonsense"})
    with pytest.raises(TargetError) as raised:
        own_pool.acquire(broken, "me")
    assert "MaxHeapFreeRatio" in str(raised.value)
    assert own_pool.drivers() == []


def test_stopping_an_unknown_driver_is_an_error(own_pool: DriverPool) -> None:
    with pytest.raises(TargetError, match="there is no driver"):
        own_pool.stop("nothing")

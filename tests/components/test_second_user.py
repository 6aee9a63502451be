"""Another user of the machine tries every door of `medallion up` while a task with Spark runs, and gets nothing."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from components.test_starts import Served, script, wait_until
from py4j.java_gateway import GatewayParameters, JavaGateway
from py4j.protocol import Py4JError
from second_user import answers_of_ports, as_another_user, doors_of_files, status_of

from medallion.components.api_client import ApiClient
from medallion.components.deployment import Server
from medallion.components.places import places_of
from medallion.components.ports import free_port
from medallion.components.record import Record
from medallion.components.sweep import end_everything, marked
from medallion.compute.gateway import quiet_py4j
from medallion.settings import Settings

pytestmark = [pytest.mark.e2e, pytest.mark.root, pytest.mark.timeout(600)]

SECRETS = {"spark_conf": "in-the-settings-4711", "environment": "in-a-variable-4712", "scope": "in-a-scope-4713"}
HOLD = """\
import sys, time
from pathlib import Path
from pyspark.sql import SparkSession
from databricks.sdk.runtime import dbutils

spark = SparkSession.builder.getOrCreate()
dbutils.secrets.get("doors", "password")
spark.range(100).repartition(3).write.mode("overwrite").saveAsTable("main.default.kept")
spark.range(9).rdd.map(lambda row: row[0] * 2).sum()
Path(sys.argv[1], "begun").touch()
end = time.monotonic() + 300
while not Path(sys.argv[1], "done").exists() and time.monotonic() < end:
    time.sleep(0.05)
"""
OPEN_PAGES = ("/", "/openapi.json", "/api/v2/version", "/api/v2/monitor/health")
"""What Airflow shows to all: its page with the login, its interface's description, its version, whether it is well."""
CLOSED = [
    *(("GET", path) for path in ("/api/v2/dags", "/api/v2/connections", "/api/v2/config", "/ui/config")),
    *(("GET", path) for path in ("/auth/token", "/auth/token/login", "/lakeflow/api/runs", "/lakeflow/triggers/door")),
    *(("POST", path) for path in ("/api/v2/dags/door/dagRuns", "/lakeflow/api/jobs/door/run-now")),
    *(("POST", path) for path in ("/lakeflow/api/jobs/door/runs/x/cancel", "/lakeflow/runs/door/x/repair")),
    *(("GET", path) for path in ("/execution/variables/x", "/execution/connections/doors")),
]


@dataclass
class House:
    """A project under `up` whose task holds a driver, and all of its processes."""

    served: Served
    temporary: Path

    @property
    def processes(self) -> list[psutil.Process]:
        """Supervisor, components, drivers and their hosts, the spare process, the task."""
        record = Record.read(places_of(self.served.settings).record)
        assert record is not None
        found = {item.pid: item for item in marked(self.served.settings.home)}
        for pid in (record.supervisor.pid, *(item.pid for item in record.components.values())):
            for item in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
                found[item.pid] = item
        return list(found.values())

    def ports(self) -> dict[int, str]:
        """Every TCP port that they listen on, with the address."""
        found = {}
        for process in self.processes:
            for connection in process.net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN:
                    found[connection.laddr.port] = connection.laddr.ip
        return found


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    # Not pytest's own folder, which is closed to others already.
    root = Path(tempfile.mkdtemp(prefix="medallion-house-"))
    root.chmod(0o755)
    temporary = root / "tmp"
    temporary.mkdir()
    temporary.chmod(0o1777)
    (root / "jobs").mkdir()
    (root / "jobs" / "hold.py").write_text(HOLD)
    (root / "medallion.toml").write_text('secret_scopes = ["doors"]\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(temporary))
        # As this variable is the user's own, it is among what others must not read.
        patch.setenv("SCOPE_PASSWORD", SECRETS["scope"])
        served = Served(root)
        served.settings = Settings.load(root, environ={})
        cluster = {
            "spark_version": "18.0",
            "num_workers": 0,
            "spark_conf": {"spark.hadoop.door.key": SECRETS["spark_conf"]},
            "spark_env_vars": {"DOOR_KEY": SECRETS["environment"]},
        }
        task = {**script("hold", "hold.py", str(temporary)), "new_cluster": cluster}
        served.write("door", tasks=[task])
        port = free_port("127.0.0.1", 8600)
        done = served.medallion("up", "--detach", "--port", str(port))
        assert done.returncode == 0, done.stdout + done.stderr
        try:
            served.client = ApiClient(served.settings, Server(f"http://127.0.0.1:{port}", own=True))
            secret = {"connection_id": "doors", "conn_type": "generic", "password": SECRETS["scope"]}
            served.client.call("POST", "/connections", secret)
            wait_until(lambda: served.client.dag("door"))
            served.client.start("door", {})
            wait_until(lambda: (temporary / "begun").exists(), 240)
            yield House(served, temporary)
        finally:
            (temporary / "done").touch()
            end_everything(served.settings)
            shutil.rmtree(root)


def test_every_port_is_on_loopback_alone(house: House) -> None:
    ports = house.ports()
    assert len(ports) >= 6, "the API server, two log servers, a gateway, Spark's two"
    assert set(ports.values()) <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}, ports


def test_no_port_answers_one_who_knows_no_password(house: House) -> None:
    record = Record.read(places_of(house.served.settings).record)
    assert record is not None
    ports = [port for port in house.ports() if port != record.port]
    answers = as_another_user(answers_of_ports, ports)
    open_ones = {name: text for name, text in answers.items() if text.startswith(("HTTP/1.1 2", "!y"))}
    assert open_ones == {}
    # Each door was there, so that a refusal is the door's own.
    assert "ConnectionRefusedError" not in answers.values()


def test_the_gateway_takes_no_wrong_secret(house: House) -> None:
    (connection,) = [json.loads(file.read_text()) for file in house.served.settings.drivers.rglob("connection.json")]
    assert as_another_user(called_by_py4j, connection["port"], "a guess") == "refused"
    (secret,) = [file.read_text() for file in house.served.settings.drivers.rglob("secret")]
    assert as_another_user(called_by_py4j, connection["port"], secret) == "java.lang.Object"


def called_by_py4j(port: int, secret: str) -> str:
    """What a driver's gateway gives to one who shows this secret."""
    quiet_py4j()
    gateway = JavaGateway(gateway_parameters=GatewayParameters(port=port, auth_token=secret))
    try:
        return str(gateway.jvm.java.lang.Object().getClass().getName())
    except Py4JError:
        return "refused"


def test_the_api_server_gives_nothing_without_a_login(house: House) -> None:
    url = house.served.client.url
    statuses = as_another_user(status_of, [(method, f"{url}{path}") for method, path in CLOSED])
    assert {path: status for (_, path), status in zip(CLOSED, statuses, strict=True) if status not in {401, 403}} == {}
    assert as_another_user(status_of, [("GET", f"{url}{path}") for path in OPEN_PAGES]) == [200] * len(OPEN_PAGES)


def test_the_log_servers_give_nothing_without_a_token(house: House) -> None:
    configuration = places_of(house.served.settings).configuration.read_text()
    ports = [line.partition("= ")[2] for line in configuration.splitlines() if "log_server_port" in line]
    (log,) = house.served.settings.home.glob("logs/tasks/dag_id=door/*/task_id=hold/attempt=1.log")
    below = log.relative_to(house.served.settings.home / "logs" / "tasks")
    assert as_another_user(status_of, [("GET", f"http://127.0.0.1:{port}/log/{below}") for port in ports]) == [403, 403]


def test_the_log_of_a_running_task_is_still_served(house: House) -> None:
    client = house.served.client
    run = house.served.runs("door")[-1]["dag_run_id"]
    log = client.call("GET", f"/dags/door/dagRuns/{run.replace('+', '%2B')}/taskInstances/hold/logs/1")
    told = [str(item["event"]) for item in log["content"]]
    assert not [line for line in told if "Could not read served logs" in line]
    assert [line for line in told if line.startswith("http://localhost:")], told


def test_nothing_of_the_home_folder_opens(house: House) -> None:
    home = house.served.settings.home
    paths = [str(home), *map(str, home.rglob("*"))]
    kinds = [path for path in paths if Path(path).is_socket()]
    assert kinds, "the spare process's socket"
    assert len(paths) > 60
    assert as_another_user(doors_of_files, paths) == []


def test_command_lines_show_no_secret_and_environments_do_not_open(house: House) -> None:
    lines = as_another_user(command_lines, [process.pid for process in house.processes])
    assert len(lines) >= 8
    secrets = {**SECRETS, **own_secrets(house.served.settings)}
    assert len(secrets) >= 8
    assert [name for name, secret in secrets.items() if secret in "\n".join(lines)] == []
    hidden = [f"/proc/{item.pid}/{name}" for item in house.processes for name in ("environ", "mem", "maps", "fd")]
    assert as_another_user(doors_of_files, hidden) == []


def command_lines(pids: list[int]) -> list[str]:
    """The command lines of processes, as every user of the machine sees them."""
    found = []
    for pid in pids:
        try:
            found.append(Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " "))
        except OSError:
            continue
    return found


def own_secrets(settings: Settings) -> dict[str, str]:
    """Medallion's own: Airflow's keys, the login, the secret of each driver's gateway."""
    lines = places_of(settings).configuration.read_text().splitlines()
    keys = {line.partition(" = ")[0]: line.partition(" = ")[2] for line in lines if " = " in line}
    found = {name: keys[name] for name in ("fernet_key", "secret_key", "jwt_secret")}
    found["password"] = json.loads(places_of(settings).passwords.read_text())["admin"]
    for file in settings.drivers.rglob("secret"):
        found[file.parent.name] = file.read_text()
    return found


def test_temporary_folders_hold_nothing_that_others_may_open(house: House) -> None:
    expected = {house.temporary / "begun"}  # what the test's own task made there
    kept = [path for path in house.temporary.rglob("*") if path not in expected]
    kept += [path for item in house.processes for path in Path("/tmp").glob(f"hsperfdata_*/{item.pid}")]
    assert any("hsperfdata" in str(path) for path in kept), "a JVM has such a file"
    assert as_another_user(doors_of_files, map(str, kept)) == []

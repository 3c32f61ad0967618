"""Run each service of docker-compose.yml as a process, against the machine's PostgreSQL 15 and Redis 7.

Says why and ends well where those servers are not installed. Ends with 1 when a service does not do its part.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

from config.embedded.postgres import PostgresCluster, find_binaries
from config.embedded.programs import Program, answers_http, file_exists, free_port
from config.embedded.stack import QUEUES
from config.embedded.state import BASE_DIR, State, database_account
from config.embedded.supervisor import Supervisor
from config.embedded.valkey import Valkey
from scripts.compose_services import Service, on_this_machine, our_services, venv_path

POSTGRES = Path("/usr/lib/postgresql/15/bin")


def main() -> int:
    redis = shutil.which("redis-server")
    if not (POSTGRES / "postgres").exists() or redis is None:
        print("Skipped: needs Debian's postgresql-15 and redis-server on this machine.")
        return 0
    os.environ |= {"WAYBILL_POSTGRES_BIN": str(POSTGRES), "WAYBILL_VALKEY_BIN": redis, "PATH": venv_path()}
    root = Path(tempfile.mkdtemp(prefix="waybill-services-"))
    root.chmod(0o711)
    check = Check(State(root))
    try:
        check.run()
    except Exception as error:  # noqa: BLE001 - whatever it is, the check has failed and says so
        print(f"FAILED: {error}\nlogs: {check.keep_logs()}", file=sys.stderr)
        return 1
    finally:
        check.close()
    print("Every service of docker-compose.yml runs.")
    return 0


class Check:
    """One run of the whole composition."""

    def __init__(self, state: State) -> None:
        state.prepare()
        self.state = state
        self.supervisor = Supervisor(processes=state.processes, logs=state.logs, say=print)
        self.web, self.sandbox = free_port(), free_port()
        values = {"WAYBILL_SECRET_KEY": state.secret_key(), "POSTGRES_PASSWORD": "waybill"}
        self.services = [self._here(service) for service in our_services(values)]

    def run(self) -> None:
        self._start_servers()
        for service in self.services:
            begun = time.monotonic()
            self._start(service)
            print(f"  {service.name:<18} ok   {time.monotonic() - begun:5.1f} s")
        self._expect_a_worker_for_every_queue()
        self._expect_nobody_crashed()

    def close(self) -> None:
        self.supervisor.stop_all()
        self.state.remove()
        shutil.rmtree(self.state.root)

    def keep_logs(self) -> Path:
        """Copy the logs to where they outlive the check."""
        kept = Path(tempfile.mkdtemp(prefix="waybill-services-logs-"))
        shutil.copytree(self.state.logs, kept, dirs_exist_ok=True)
        return kept

    def _start_servers(self) -> None:
        cluster = PostgresCluster(self.state.database_home(), self.state.postgres_socket, durable=False)
        self.supervisor.start(cluster.program())
        cluster.create_database()
        self.supervisor.start(Valkey(self.state.valkey_socket).program())
        print(f"PostgreSQL {find_binaries(database_account()).major} and {os.environ['WAYBILL_VALKEY_BIN']}")

    def _here(self, service: Service) -> Service:
        ready = self.state.processes / f"{service.name}.ready"
        metrics = self.state.root / "metrics" / service.name
        metrics.mkdir()
        return on_this_machine(
            service,
            replacing={
                "0.0.0.0:8000": f"127.0.0.1:{self.web}",
                "0.0.0.0": "127.0.0.1",  # noqa: S104 - it is what is replaced
                "sandbox:8090": f"127.0.0.1:{self.sandbox}",
                "8090": str(self.sandbox),
            },
            environment={
                "DATABASE_URL": self.state.database_url,
                "REDIS_URL": self.state.redis_url,
                "WAYBILL_STATE": str(self.state.root),
                "PROMETHEUS_MULTIPROC_DIR": str(metrics),
                **({"WAYBILL_READY_FILE": str(ready), "WAYBILL_METRICS_PORT": str(free_port())}
                   if service.is_worker else {}),
            },
        )  # fmt: skip

    def _start(self, service: Service) -> None:
        if service.name == "migrate":
            subprocess.run(service.command, env=os.environ | dict(service.environment), cwd=BASE_DIR,
                           stdout=subprocess.DEVNULL, check=True)  # fmt: skip
            return
        self.supervisor.start(
            Program(
                name=service.name,
                command=service.command,
                env=service.environment,
                cwd=BASE_DIR,
                ready=self._probe(service),
                ready_within_seconds=60,
            )
        )

    def _probe(self, service: Service) -> Callable[[], bool]:
        if service.is_worker:
            return file_exists(Path(service.environment["WAYBILL_READY_FILE"]))
        if service.name == "web":
            return lambda: _ready(f"http://127.0.0.1:{self.web}/health/ready")
        if service.name == "sandbox":
            return answers_http(f"http://127.0.0.1:{self.sandbox}/health")
        begun = time.monotonic()
        return lambda: time.monotonic() - begun > 3

    def _expect_a_worker_for_every_queue(self) -> None:
        environment: Mapping[str, str] = next(s for s in self.services if s.is_worker).environment
        shown = subprocess.run(
            ["celery", "--app", "config", "--quiet", "inspect", "active_queues", "--json", "--timeout", "5"],
            env=os.environ | dict(environment), cwd=BASE_DIR, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        consumed = sorted(queue["name"] for queues in json.loads(shown).values() for queue in queues)
        if consumed != sorted(QUEUES):
            raise AssertionError(f"queues consumed: {consumed}, expected one worker for each of {QUEUES}")

    def _expect_nobody_crashed(self) -> None:
        crashed = [s.name for s in self.services if s.name != "migrate" and self.supervisor.restarts(s.name)]
        if crashed:
            raise AssertionError(f"started again after a crash: {', '.join(crashed)}")


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=3) as answer:  # noqa: S310 - our own http:// address
            return bool(json.load(answer)["status"] == "ok")
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main())

"""The whole system as ordinary processes: database, broker, sandbox, workers, loops and the web server."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import FrameType, TracebackType
from typing import Self

from config.embedded.postgres import PostgresCluster
from config.embedded.programs import Program, answers_http, file_exists, free_port, port_is_free
from config.embedded.state import BASE_DIR, State
from config.embedded.supervisor import Supervisor
from config.embedded.valkey import Valkey

STEP_QUEUES = ("orders", "payments", "inventory", "shipping", "sagas")
#: Messages from outside and to it: a worker each, so that neither a flood of them nor a slow server holds up sagas.
EDGE_QUEUES = ("inbox", "webhooks")
QUEUES = (*STEP_QUEUES, *EDGE_QUEUES)
WEB_PORT = 8000


class CommandFailed(Exception):
    """A manage.py command run by the stack ended badly. The message is what it printed."""


class Stack:
    """A running system, as a context manager. All it started is stopped at the end, also after an error.

    `workers` is the number of Celery workers (two processes each), `env` what a child needs to talk to the
    services. With `webhooks` the sandbox's gateway tells the web server what happens. Entering takes the state's
    lock (StateBusy when another run has it), stops what a killed run left behind, and starts the services; the
    caller goes on with `migrate()`, then `start_platform()`.
    """

    def __init__(
        self,
        state: State,
        *,
        workers: int = 1,
        worker_processes: int = 2,
        web: bool = False,
        web_port: int = WEB_PORT,
        webhooks: bool = False,
        purpose: str = "make up",
        sandbox_arguments: Sequence[str] = (),
        say: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self.state = state
        self.workers = workers
        self.worker_processes = worker_processes
        self.web = web
        self.web_port = web_port
        self.webhooks = web and webhooks
        self.say = say
        self.supervisor = Supervisor(processes=state.processes, logs=state.logs, say=say)
        self._purpose = purpose
        self._sandbox_arguments = tuple(sandbox_arguments)
        self._exit = ExitStack()
        self.env: dict[str, str] = {}

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            undo.enter_context(self.state.locked(self._purpose))
            self.state.prepare()
            for name in self.supervisor.stop_orphans():
                self.say(f"stopped {name}, left behind by a run that was killed")
            undo.enter_context(_signals_raise())
            undo.callback(self.supervisor.stop_all)
            self.start_services()
            self._exit = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit.__exit__(kind, error, trace)

    def start_services(self) -> None:
        """Bring up PostgreSQL and Valkey unless DATABASE_URL or REDIS_URL name others."""
        shutil.rmtree(self.state.metrics, ignore_errors=True)
        self.state.prepare()
        self.env = {
            "WAYBILL_STATE": str(self.state.root),
            "PROMETHEUS_MULTIPROC_DIR": str(self.state.metrics),
        }
        self.env["DATABASE_URL"] = os.environ.get("DATABASE_URL") or self._start_postgres()
        self.env["REDIS_URL"] = os.environ.get("REDIS_URL") or self._start_valkey()
        self.env["WAYBILL_SECRET_KEY"] = os.environ.get("WAYBILL_SECRET_KEY") or self.state.secret_key()
        if self.webhooks:
            secrets = os.environ.get("PAYMENT_WEBHOOK_SECRETS") or self.state.webhook_secret()
            self.env["PAYMENT_WEBHOOK_SECRETS"] = secrets
            kept = os.environ.get("CARRIER_WEBHOOK_SECRETS") or self.state.webhook_secret()
            self.env["CARRIER_WEBHOOK_SECRETS"] = kept

    def _start_postgres(self) -> str:
        home = self.state.database_home()
        if home != self.state.root:
            self.say(f"the database lies in {home}: its account cannot enter {self.state.root}")
        cluster = PostgresCluster(home, self.state.postgres_socket)
        self.supervisor.start(cluster.program())
        cluster.create_database()
        return self.state.database_url

    def _start_valkey(self) -> str:
        self.supervisor.start(Valkey(self.state.valkey_socket).program())
        return self.state.redis_url

    def migrate(self) -> None:
        """Bring the schema up to date. Safe to repeat."""
        self.manage("migrate", "--no-input", "--verbosity", "0")

    def manage(self, *arguments: str, env: Mapping[str, str] | None = None) -> str:
        """Run one manage.py command against this stack and return what it printed. Raises CommandFailed."""
        done: subprocess.CompletedProcess[str] = subprocess.run(
            [*MANAGE, *arguments],
            cwd=BASE_DIR,
            env=os.environ | self.env | {"WAYBILL_ROLE": "manage"} | dict(env or {}),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise CommandFailed(f"manage.py {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def start_platform(self) -> None:
        """Start sandbox, workers, loops and (if wanted) the web side by side; wait until each answers."""
        self.start_sandbox(wait=False)
        numbers = range(1, self.workers + 1)
        programs = [self.worker(f"worker-{number}", queues=STEP_QUEUES) for number in numbers]
        programs += [self.worker(f"worker-{q}", queues=(q,), processes=1) for q in EDGE_QUEUES]
        programs += [self.keep(), *([self.web_server()] if self.web else [])]
        for program in programs:
            self.supervisor.start(program, wait=False)
        self.supervisor.await_all()

    def start_sandbox(self, *, wait: bool = True) -> None:
        """Start the sandbox gateway and carrier unless WAYBILL_SANDBOX_URL names one already running."""
        url = os.environ.get("WAYBILL_SANDBOX_URL")
        if not url:
            port = free_port()
            url = f"http://127.0.0.1:{port}"
            self.supervisor.start(self.sandbox(port, self._sandbox_arguments + self._webhooks()), wait=wait)
        self.env["WAYBILL_SANDBOX_URL"] = url
        self.state.note(sandbox_url=url)

    def _webhooks(self) -> tuple[str, ...]:
        """Where the sandbox's gateway sends its webhooks, if it does."""
        if not self.webhooks:
            return ()
        doors = (f"{self.web_url}/webhooks/{who}/sandbox/" for who in ("payments", "shipping"))
        return ("--webhooks", next(doors), "--tracking", next(doors))

    def sandbox(self, port: int, arguments: Sequence[str] = ()) -> Program:
        """The sandbox gateway and carrier. Its own record lies in the state folder."""
        return Program(
            name="sandbox",
            command=(*MANAGE, "sandbox", "--port", str(port), *arguments),
            env=self.env | {"WAYBILL_ROLE": "manage"},
            cwd=BASE_DIR,
            ready=answers_http(f"http://127.0.0.1:{port}/health"),
        )

    def worker(self, name: str, *, queues: Sequence[str] = QUEUES, processes: int = 0) -> Program:
        """One Celery worker consuming these queues."""
        ready = self.state.processes / f"{name}.ready"
        return Program(
            name=name,
            command=tuple(worker_command(name, queues, processes or self.worker_processes)),
            env=self.env | {"WAYBILL_ROLE": "worker", "WAYBILL_READY_FILE": str(ready)},
            cwd=BASE_DIR,
            prepare=lambda: ready.unlink(missing_ok=True),
            ready=file_exists(ready),
        )

    def keep(self) -> Program:
        """The loops."""
        return Program(
            name="keep",
            command=(*MANAGE, "keep"),
            env=self.env | {"WAYBILL_ROLE": "keep"},
            cwd=BASE_DIR,
        )

    def web_server(self) -> Program:
        """The web server on 127.0.0.1."""
        if not port_is_free(self.web_port):
            raise CommandFailed(f"Port {self.web_port} is taken. Set WAYBILL_PORT to another one.")
        self.state.note(web_url=self.web_url)
        return Program(
            name="web",
            command=tuple(web_command(f"127.0.0.1:{self.web_port}")),
            env=self.env | {"WAYBILL_ROLE": "web"},
            cwd=BASE_DIR,
            ready=answers_http(f"{self.web_url}/health/live"),
        )

    @property
    def web_url(self) -> str:
        return f"http://127.0.0.1:{self.web_port}"


MANAGE = (sys.executable, str(BASE_DIR / "manage.py"))


def worker_command(name: str, queues: Sequence[str], processes: int) -> Iterator[str]:
    """The command line of a worker, as compose and the tests run it too."""
    yield from (sys.executable, "-m", "celery", "--app", "config", "worker", "--hostname", f"{name}@%h")
    yield from ("--queues", ",".join(queues), "--pool", "prefork", "--concurrency", str(processes))
    yield from ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "INFO")


def web_command(address: str, *, threads: int = 8) -> Iterator[str]:
    """The command line of the web server, as compose runs it too."""
    yield from (sys.executable, "-m", "gunicorn", "config.wsgi:application", "--bind", address)
    yield from ("--workers", "1", "--threads", str(threads), "--config", "python:config.gunicorn")


@contextmanager
def _signals_raise() -> Iterator[None]:
    """Let SIGTERM and SIGHUP unwind the program like Ctrl-C does, so that everything is stopped in order."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)

"""Children are restarted, stopped, and found again when their supervisor was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.embedded.processes import ProcessBook, started_at
from config.embedded.programs import Program, ServiceFailed, file_exists
from config.embedded.state import BASE_DIR
from config.embedded.supervisor import Supervisor
from tests.waiting import eventually

SLEEPER = ("sleep", "600")
FAMILY = ("sh", "-c", "sleep 600 & echo $! > child; wait")


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    supervisor = Supervisor(processes=tmp_path, logs=tmp_path)
    yield supervisor
    supervisor.stop_all(grace_seconds=2)


def test_a_crashed_child_is_started_again(supervisor: Supervisor) -> None:
    supervisor.start(Program(name="sleeper", command=SLEEPER))
    first = supervisor.pid("sleeper")

    supervisor.kill("sleeper")

    assert eventually(lambda: supervisor.restarts("sleeper") == 1)
    assert supervisor.pid("sleeper") != first
    assert started_at(first) is None


def test_a_child_that_keeps_crashing_is_started_ever_more_rarely(tmp_path: Path) -> None:
    said: list[str] = []
    supervisor = Supervisor(processes=tmp_path, logs=tmp_path, say=said.append)
    supervisor.start(Program(name="broken", command=("false",)), wait=False)

    assert eventually(lambda: len(said) == 3)
    supervisor.stop_all()

    assert said == [
        "broken ended with 1; starting it again in 0.2 s",
        "broken ended with 1; starting it again in 0.4 s",
        "broken ended with 1; starting it again in 0.8 s",
    ]


def test_what_a_dead_child_left_in_its_group_dies_too(supervisor: Supervisor, tmp_path: Path) -> None:
    child = tmp_path / "child"
    program = Program(name="family", command=FAMILY, cwd=tmp_path, ready=file_exists(child))
    supervisor.start(program)
    assert eventually(lambda: bool(child.read_text()))
    grandchild = int(child.read_text())

    os.kill(supervisor.pid("family"), signal.SIGKILL)

    assert eventually(lambda: started_at(grandchild) is None)


def test_a_program_that_ends_at_once_is_an_error_with_its_last_words(supervisor: Supervisor) -> None:
    program = Program(name="mute", command=("sh", "-c", "echo no such thing; exit 3"), ready=lambda: False)

    with pytest.raises(ServiceFailed, match=r"mute ended at once:\nno such thing"):
        supervisor.start(program)


def test_a_child_that_ignores_the_polite_signal_is_killed(tmp_path: Path) -> None:
    supervisor = Supervisor(processes=tmp_path, logs=tmp_path)
    ready = tmp_path / "ready"
    stubborn = ("sh", "-c", f"trap '' TERM; touch {ready}; while true; do sleep 0.1; done")
    supervisor.start(Program(name="stubborn", command=stubborn, ready=file_exists(ready)))
    pid = supervisor.pid("stubborn")

    supervisor.stop_all(grace_seconds=0.3)

    assert started_at(pid) is None
    assert ProcessBook(tmp_path).entries() == []


SUPERVISE = """
import sys, time
from pathlib import Path
from config.embedded.programs import Program
from config.embedded.supervisor import Supervisor
folder = Path(sys.argv[1])
supervisor = Supervisor(processes=folder, logs=folder)
supervisor.start(Program(name="sleeper", command=("sleep", "600")))
print(supervisor.pid("sleeper"), flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a child die with its parent")
def test_children_die_with_a_killed_supervisor(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SUPERVISE, str(tmp_path)], cwd=BASE_DIR, stdout=subprocess.PIPE, text=True
    ) as killed:
        assert killed.stdout is not None
        child = int(killed.stdout.readline())
        killed.kill()

    assert eventually(lambda: started_at(child) is None)


def orphan(folder: Path) -> subprocess.Popen[bytes]:
    """A child on record whose supervisor is gone, where the system has no death signal."""
    process = subprocess.Popen(SLEEPER, start_new_session=True)
    ProcessBook(folder).add("sleeper", process.pid)
    return process


def test_orphans_on_record_are_found_and_stopped(tmp_path: Path) -> None:
    with orphan(tmp_path) as process:
        supervisor = Supervisor(processes=tmp_path, logs=tmp_path)

        assert supervisor.stop_orphans() == ["sleeper"]

        assert process.wait(timeout=5) == -signal.SIGTERM
    assert ProcessBook(tmp_path).entries() == []


def test_a_stranger_who_got_the_pid_of_a_dead_child_is_left_alone(tmp_path: Path) -> None:
    with orphan(tmp_path) as process:
        record = tmp_path / "sleeper.json"
        record.write_text(record.read_text().replace(started_at(process.pid) or "?", "12345"))

        assert ProcessBook(tmp_path).stop_orphans() == []

        assert process.poll() is None
        process.kill()


def test_a_half_written_record_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "worker.json").write_text('{"name": "wor')

    assert ProcessBook(tmp_path).entries() == []

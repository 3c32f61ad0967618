"""What the benchmark reads off the process table."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from benchmarks.side_by_side import meters

BUSY = "import time\nend = time.process_time() + {seconds}\nwhile time.process_time() < end: pass\n"


def test_the_meter_counts_a_busy_grandchild_while_it_runs() -> None:
    before = of_others()
    script = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BUSY.format(seconds=60)!r}])\n"
    child = subprocess.Popen([sys.executable, "-c", script], start_new_session=True)

    try:
        assert reaches(before + 0.3)
    finally:
        end_group(child)


def test_the_meter_keeps_what_a_child_used_that_has_ended() -> None:
    before = of_others()

    subprocess.run([sys.executable, "-c", BUSY.format(seconds=0.3)], check=True)

    assert 0.3 <= of_others() - before < 3


ORPHANED = """
import subprocess, sys, time
from benchmarks.side_by_side import meters
meters.adopt_orphans()
busy = {busy!r}
leave = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {{busy!r}}])"
subprocess.run([sys.executable, "-c", leave], check=True)
deadline = time.monotonic() + 20
while meters.cpu_seconds() - time.process_time() < 1.5 and time.monotonic() < deadline:
    time.sleep(0.02)
time.sleep(0.5)  # it has ended by now, and a clock of ticks may have lost some
print(meters.cpu_seconds() - time.process_time() >= 1.4)
"""


def test_an_orphan_s_time_is_counted_while_it_runs_and_after_its_end() -> None:
    script = ORPHANED.format(busy=BUSY.format(seconds=1.5))

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "True"


def test_a_peak_is_that_of_the_largest_process_and_of_nobody_when_all_are_gone() -> None:
    child = subprocess.Popen([sys.executable, "-c", "x = b'x' * 60_000_000; input()"], stdin=subprocess.PIPE)

    try:
        deadline = time.monotonic() + 10
        while meters.peak_mb([child.pid]) < 57 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert meters.peak_mb([child.pid]) >= 57
    finally:
        child.communicate()
    assert meters.peak_mb([child.pid]) == 0


def of_others() -> float:
    """Processor time of all below this process, without its own: looking costs some too."""
    return meters.cpu_seconds() - time.process_time()


def reaches(seconds: float) -> bool:
    """Whether their processor time gets there soon."""
    deadline = time.monotonic() + 20
    while of_others() < seconds and time.monotonic() < deadline:
        time.sleep(0.02)
    return of_others() >= seconds


def end_group(child: subprocess.Popen[bytes]) -> None:
    """End a child and all below it."""
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()

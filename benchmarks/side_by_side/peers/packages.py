"""Whether a peer can run here: the packages and programs it needs, and in which version they are installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.side_by_side.contender import Missing


def version_of(
    package: str, *others: str, get: str = "`make bench` installs it from requirements/bench.lock"
) -> str:
    """The version of a package. Raises Missing when it, or one of the others, is not installed."""
    try:
        for other in others:
            version(other)
        return version(package)
    except PackageNotFoundError as error:
        raise Missing(f"The package {error.name} is not installed: {get}.") from None


def find_program(program: str, *, get: str) -> str:
    """Where a program is: on the PATH or beside this Python. Raises Missing when it is nowhere."""
    folders = [os.environ.get("PATH", os.defpath), str(Path(sys.executable).parent)]
    if found := shutil.which(program, path=os.pathsep.join(folders)):
        return found
    raise Missing(f"The program {program} is not on the PATH: {get}.")


def program_version(program: str, *, get: str) -> str:
    """The version a program says it has. Raises Missing when there is none."""
    command = [find_program(program, get=get), "--version"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
    numbers = re.search(r"\d+(\.\d+)+", said)
    return numbers.group() if numbers else said.strip()

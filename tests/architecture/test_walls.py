"""The walls between the apps stand, and each of them is seen to hold."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from config.embedded.state import BASE_DIR

PACKAGES = ("config", "sagas", "orders", "payments", "inventory", "shipping")
LINT = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"

#: A wall, and what climbing over it looks like: the file that does, and the forbidden import.
CLIMBS = {
    "The platform knows no app": ("sagas/trespass.py", "import orders.contract"),
    "Orders knows others by their contract": ("orders/trespass.py", "import payments.models"),
    "Payments knows others by their contract": ("payments/trespass.py", "import orders.models"),
    "Inventory knows others by their contract": ("inventory/trespass.py", "import shipping.apps"),
    "Shipping knows others by their contract": ("shipping/trespass.py", "import inventory.models"),
    "A contract is plain Python": ("payments/contract.py", "import django.db"),
    "Inside an app imports point one way": ("shipping/models.py", "import shipping.admin"),
}


def lint(folder: Path) -> dict[str, str]:
    """The verdict on each wall."""
    done = subprocess.run(
        [sys.executable, "-c", LINT, "--no-cache"], cwd=folder, capture_output=True, text=True, check=False
    )
    plain = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
    return dict(re.findall(r"^(.+?) (KEPT|BROKEN)\b", plain, re.MULTILINE))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the code, to be damaged."""
    shutil.copy(BASE_DIR / "pyproject.toml", tmp_path)
    for package in PACKAGES:
        shutil.copytree(
            BASE_DIR / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "migrations")
        )
    return tmp_path


def test_every_wall_stands() -> None:
    assert lint(BASE_DIR) == dict.fromkeys(CLIMBS, "KEPT")


def test_every_wall_notices_who_climbs_over_it(copy: Path) -> None:
    (copy / "shipping" / "admin.py").touch()
    for file, trespass in CLIMBS.values():
        with (copy / file).open("a") as out:
            out.write(f"\n{trespass}\n")

    assert lint(copy) == dict.fromkeys(CLIMBS, "BROKEN")

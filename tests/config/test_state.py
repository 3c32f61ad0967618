"""The state folder, its lock, and where things go when the folder will not do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from config.embedded.discovery import why_unreachable
from config.embedded.state import BASE_DIR, Account, State, StateBusy, StateUnusable, own_folder, state_root

HOLD = """
import sys, time
from pathlib import Path
from config.embedded.state import State
with State(Path(sys.argv[1])).locked("make demo"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(tmp_path / "state")


def held_elsewhere(state: State) -> subprocess.Popen[str]:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(state.root)], cwd=BASE_DIR, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    with holder.stdout:
        assert holder.stdout.readline() == "held\n"
    return holder


def test_a_second_run_is_told_who_holds_the_state_and_what_to_do(state: State) -> None:
    with held_elsewhere(state) as holder:
        try:
            with pytest.raises(StateBusy) as caught, state.locked("make up"):
                pass

            assert f"in use by `make demo` (process {holder.pid})" in str(caught.value)
            assert "make down" in str(caught.value)
            assert state.holder() == (holder.pid, "make demo")
        finally:
            holder.kill()


def test_the_lock_of_a_killed_run_is_free_at_once(state: State) -> None:
    with held_elsewhere(state) as holder:
        holder.kill()

    assert state.holder() is None
    with state.locked("make up"):
        assert (state.root / "lock").read_text() == f"{os.getpid()} make up"


def test_what_a_run_notes_is_read_by_another_shell(state: State) -> None:
    state.prepare()
    state.note(sandbox_url="http://127.0.0.1:1234")
    state.note(web_url="http://127.0.0.1:8000")

    assert State(state.root).noted() == {
        "sandbox_url": "http://127.0.0.1:1234",
        "web_url": "http://127.0.0.1:8000",
    }
    state.remove()


def test_a_broken_note_counts_as_none(state: State) -> None:
    state.prepare()
    (state.root / "running.json").write_text('{"web_')

    assert state.noted() == {}
    state.remove()


def test_removing_leaves_only_the_lock(state: State) -> None:
    with state.locked("make reset"):
        state.prepare()
        (state.root / "postgres").mkdir()

        state.remove()

        assert [entry.name for entry in state.root.iterdir()] == ["lock"]
        assert not state.runtime.exists()


def test_sockets_stay_below_the_limit_of_107_bytes_however_deep_the_folder(tmp_path: Path) -> None:
    state = State(tmp_path.joinpath(*["a-rather-long-folder-name"] * 8))

    assert len(str(state.postgres_socket / ".s.PGSQL.5432")) < 80
    assert len(str(state.valkey_socket)) < 80


def test_the_signing_key_is_made_once_and_for_its_owner_only(state: State) -> None:
    state.prepare()

    assert state.secret_key() == state.secret_key() == state.noted_secret()
    assert (state.root / "secret_key").stat().st_mode & 0o777 == 0o600
    state.remove()


def test_the_webhook_secret_is_made_once_when_it_is_wanted_and_for_its_owner_only(state: State) -> None:
    state.prepare()
    before = state.noted_webhook_secret()

    assert before == ""
    assert state.webhook_secret() == state.webhook_secret() == state.noted_webhook_secret()
    assert state.webhook_secret() != state.secret_key()
    assert (state.root / "webhook_secret").stat().st_mode & 0o777 == 0o600
    state.remove()


@pytest.mark.parametrize(("mode", "may"), [(0o700, False), (0o711, True), (0o750, False)])
def test_the_databases_account_needs_every_folder_on_the_way(tmp_path: Path, mode: int, may: bool) -> None:
    stranger = Account("nobody", uid=65534, gid=65534)
    base = Path("/var/tmp") / f"waybill-test-{os.getpid()}-{mode:o}"
    inner = base / "home" / "checkout"
    inner.mkdir(parents=True)
    try:
        base.chmod(0o755)
        (base / "home").chmod(mode)
        inner.chmod(0o755)

        assert stranger.can_enter(inner) is may
    finally:
        inner.rmdir()
        (base / "home").rmdir()
        base.rmdir()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the database under another account")
def test_the_cluster_goes_elsewhere_when_its_account_cannot_enter(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    state = State(tmp_path / "state")
    state.prepare()

    assert state.database_home() == state.fallback
    assert state.fallback.stat().st_uid == 0

    state.remove()
    assert not state.fallback.exists()


def test_a_runtime_folder_planted_by_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "planted").symlink_to(tmp_path / "real")

    with pytest.raises(StateUnusable, match="belongs to somebody else"):
        own_folder(tmp_path / "planted", mode=0o700)


def test_nothing_running_is_said_in_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.setenv("WAYBILL_STATE", str(tmp_path))

    assert state_root() == tmp_path
    assert "Start it with `make up`" in why_unreachable()


def test_with_a_database_url_the_databases_own_words_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://db.example/books")

    assert why_unreachable() == ""


def test_a_command_run_when_nothing_runs_ends_with_that_sentence(tmp_path: Path) -> None:
    env = os.environ | {"WAYBILL_STATE": str(tmp_path / "none")}
    del env["DATABASE_URL"]

    done = subprocess.run(
        [sys.executable, "manage.py", "migrate", "--check"],
        cwd=BASE_DIR,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    nowhere = tmp_path / "none"
    assert (
        done.stderr.strip()
        == f"Nothing is running on {nowhere}. Start it with `make up`, or set DATABASE_URL."
    )

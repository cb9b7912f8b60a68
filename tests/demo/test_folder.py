"""The data folder keeps secrets to its owner, and what a second run needs to go on."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from services.demo.folder import DataFolder, FolderInUseError, FolderLock, Terminal


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    with FolderLock(tmp_path / "data") as opened:
        return opened


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_secrets_are_made_once_and_stay(folder: DataFolder) -> None:
    token, secret = folder.service_token(), folder.endpoint_secret("crm")

    assert (folder.service_token(), folder.endpoint_secret("crm")) == (token, secret)
    assert len(bytes.fromhex(token)) == 32
    assert secret.startswith("whsec_")
    assert secret != folder.endpoint_secret("email")


def test_secrets_can_be_read_by_their_owner_only(folder: DataFolder) -> None:
    folder.service_token()
    folder.endpoint_secret("crm")
    folder.keep_terminal("till-1", Terminal("till-1", "secret"))

    for file in (
        folder.service_token_file,
        folder.endpoint_secret_file("crm"),
        folder.root / "demo" / "terminals.jsonl",
    ):
        assert _mode(file) == 0o600, file
    assert _mode(folder.root) == 0o700


def test_terminals_are_kept_one_by_one(folder: DataFolder) -> None:
    assert folder.terminals() == {}
    folder.keep_terminal("till-1", Terminal("till-1", "first"))
    folder.keep_terminal("till-2", Terminal("till-2.2", "second"))

    assert folder.terminals() == {
        "till-1": Terminal("till-1", "first"),
        "till-2": Terminal("till-2.2", "second"),
    }


def test_a_terminal_whose_line_was_cut_short_is_not_known(folder: DataFolder) -> None:
    folder.keep_terminal("till-1", Terminal("till-1", "first"))
    with (folder.root / "demo" / "terminals.jsonl").open("a") as file:
        file.write('["till-2", "till-2", "sec')

    assert list(folder.terminals()) == ["till-1"]


def test_a_terminal_can_be_kept_after_a_line_that_was_cut_short(folder: DataFolder) -> None:
    with (folder.root / "demo" / "terminals.jsonl").open("a") as file:
        file.write('["till-2", "till-2", "sec')
    folder.keep_terminal("till-3", Terminal("till-3", "third"))

    assert folder.terminals() == {"till-3": Terminal("till-3", "third")}


def test_a_second_run_goes_on_where_the_first_ended(folder: DataFolder) -> None:
    assert folder.baskets_done() == 0
    folder.keep_baskets_done(1_234)

    assert DataFolder(folder.root).baskets_done() == 1_234


def test_one_run_at_a_time_uses_a_folder(tmp_path: Path) -> None:
    with FolderLock(tmp_path), pytest.raises(FolderInUseError, match=str(tmp_path)):
        FolderLock(tmp_path).__enter__()

    with FolderLock(tmp_path):
        pass


def test_a_killed_run_leaves_its_folder_free(tmp_path: Path) -> None:
    program = (
        "import pathlib, signal; from services.demo.folder import FolderLock\n"
        f"with FolderLock(pathlib.Path({str(tmp_path)!r})):\n"
        "    print('locked', flush=True); signal.pause()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"locked\n"
        with pytest.raises(FolderInUseError):
            FolderLock(tmp_path).__enter__()
        os.kill(run.pid, signal.SIGKILL)

    with FolderLock(tmp_path):
        pass

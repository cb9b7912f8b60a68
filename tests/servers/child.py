"""Child processes that never outlive the test run, and waits that always have a deadline."""

import os
import pwd
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

POLL_S = 0.02


def spawn(
    command: Sequence[str | Path],
    *,
    log: Path,
    user: str | None = None,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Starts `command` with its output appended to `log`, as `user` if this process is root.

    The kernel ends the child if this process dies without a chance to clean up. The child has a
    session of its own, so that a Ctrl-C at the terminal reaches the test runner alone, which then
    stops its servers in order.
    """
    with log.open("ab") as output:
        return subprocess.Popen(
            ["setpriv", *_identity(user), "--pdeathsig", "KILL", "--", *map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if environment is None else dict(environment),
            cwd=folder,
            start_new_session=True,
        )


def run_as(user: str | None, command: Sequence[str | Path], *, folder: Path) -> None:
    """Runs `command` to its end, as `user` if this process is root; raises if it fails."""
    done = subprocess.run(
        ["setpriv", *_identity(user), "--", *map(str, command)],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=folder,
    )
    if done.returncode != 0:
        output = f"{done.stdout}{done.stderr}"
        raise RuntimeError(f"{command[0]} ended with {done.returncode}:\n{output}")


def give_to(user: str, folder: Path) -> None:
    """Makes `folder` belong to `user`, if this process is root and needs to."""
    if os.geteuid() == 0:
        entry = pwd.getpwnam(user)
        os.chown(folder, entry.pw_uid, entry.pw_gid)


def end(process: subprocess.Popen[bytes], *, by: signal.Signals, within_s: float) -> int:
    """Sends `by`, and SIGKILL to what has not ended `within_s` later. Returns the exit status."""
    if process.poll() is None:
        process.send_signal(by)
        try:
            process.wait(within_s)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def wait_until(
    ready: Callable[[], bool], *, process: subprocess.Popen[bytes], log: Path, within_s: float
) -> None:
    """Polls `ready`; raises with the log's end if the process ends first or the time is over."""
    deadline = time.monotonic() + within_s
    while not ready():
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}:\n{tail(log)}")
        if time.monotonic() > deadline:
            raise TimeoutError(f"{process.args!r} is not ready after {within_s} s:\n{tail(log)}")
        time.sleep(POLL_S)


def tail(log: Path, *, characters: int = 4_000) -> str:
    """The last part of a log; empty if there is none."""
    return log.read_text(errors="replace")[-characters:] if log.exists() else ""


def _identity(user: str | None) -> list[str]:
    if user is None or os.geteuid() != 0:
        return []
    entry = pwd.getpwnam(user)
    return [f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--init-groups"]

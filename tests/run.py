"""`python -m tests.run [--long] [pytest arguments]`: what `make test` and `make test-long` call.

Brings the real servers and the browser that tests need (as root on Debian; else says what to
install and ends with status 2), then becomes pytest, whose closing lines and status are the run's.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests import scale
from tests.servers import programs

LONG_TIMEOUT_S = 3_600
POLICY = Path("/usr/sbin/policy-rc.d")


def main(arguments: Sequence[str]) -> None:
    """Does not return: pytest takes this process over."""
    long = "--long" in arguments
    ensure_programs()
    os.environ[scale.VARIABLE] = "1.0" if long else os.environ.get(scale.VARIABLE, "0.1")
    command = [sys.executable, "-m", "pytest", *(a for a in arguments if a != "--long")]
    if long:
        command += ["-o", f"timeout={LONG_TIMEOUT_S}"]
    sys.stdout.flush()
    os.execv(sys.executable, command)


def ensure_programs() -> None:
    """Installs the Debian packages that are missing; exits with status 2 where it may not."""
    packages = programs.missing_packages()
    if not packages:
        return
    line = f"apt-get update && apt-get install -y --no-install-recommends {' '.join(packages)}"
    if os.geteuid() != 0:
        print(f"the tests need programs that are not here; as root:\n  {line}", file=sys.stderr)
        raise SystemExit(2)
    print(f"installing for the tests: {', '.join(packages)}", flush=True)
    with services_stay_stopped():
        _install(packages)
    still = programs.missing_packages()
    if still:
        print(f"apt-get did not bring {', '.join(still)}; as root:\n  {line}", file=sys.stderr)
        raise SystemExit(2)


@contextmanager
def services_stay_stopped(policy: Path = POLICY) -> Iterator[None]:
    """Debian's packages start their services when installed, unless this policy forbids it.

    The tests have servers of their own; the machine's instances are none of their business.
    """
    if policy.exists():
        yield
        return
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink()


def _install(packages: Sequence[str]) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for step in (["update", "-q"], ["install", "-y", "-q", "--no-install-recommends", *packages]):
        done = subprocess.run(
            ["apt-get", *step],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            print(f"{done.stdout}{done.stderr}", file=sys.stderr)
            raise SystemExit(f"apt-get {step[0]} ended with {done.returncode}")


if __name__ == "__main__":
    main(sys.argv[1:])

"""A disk that takes longer to promise that a page is safe: simulated, and said so wherever it is
told.

How much one commit for many checkouts gains over one for each depends on that time, and on what is
measured here it may be a twentieth of what other disks take.
"""

import mmap
import os
import struct
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = Path(__file__).with_name("slow_flush.c")
COMPILER = "cc"


class SlowDisk:
    """Makes fsync and fdatasync of the processes that have `environment` take longer."""

    def __init__(self, folder: Path) -> None:
        """Compiles what is loaded into them, into `folder`; PostgreSQL's user reads it there."""
        folder.chmod(0o755)
        library, setting = folder / "slow_flush.so", folder / "flush_longer_us"
        options = ["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
        command = [COMPILER, *options, "-o", str(library), str(SOURCE), "-ldl"]
        subprocess.run(command, check=True)
        setting.write_bytes(struct.pack("I", 0))
        setting.chmod(0o644)
        with setting.open("r+b") as file:
            self._longer_us = mmap.mmap(file.fileno(), struct.calcsize("I"))
        self.environment = {"LD_PRELOAD": str(library), "BONPUNKT_FLUSH_FILE": str(setting)}

    def flush_us(self, folder: Path) -> int:
        """How long a flush takes now, as `machine.flush_us` measures it, in such a process."""
        told = subprocess.run(
            [sys.executable, "-m", "loadtests.machine", str(folder)],
            check=True,
            stdout=subprocess.PIPE,
            env={**os.environ, **self.environment},
            cwd=ROOT,
        )
        return int(told.stdout)

    def take_longer(self, by_us: int) -> None:
        """From now on, by so many microseconds."""
        self._longer_us[:] = struct.pack("I", by_us)

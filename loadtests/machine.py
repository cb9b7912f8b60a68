"""On what it was measured; figures of two machines are not comparable.

`python -m loadtests.machine FOLDER` says in microseconds how long a flush takes there.
"""

import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from services.runtime.compiled import CODE

FLUSHES = 200


def machine(folder: Path) -> dict[str, Any]:
    """This machine, and the disk that `folder` is on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory / 2**30, 1),
        "file_system": _file_system(folder),
        "flush_us": flush_us(folder),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "code": CODE,
    }


def flush_us(folder: Path) -> int:
    """The median time of writing one page and waiting until the disk says that it is safe."""
    took_s = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(FLUSHES):
            os.pwrite(file.fileno(), bytes(8192), 0)
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            took_s.append(time.perf_counter() - begun)
    return round(statistics.median(took_s) * 1e6)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _file_system(folder: Path) -> str:
    """The kind of the file system that holds `folder`, such as ext4."""
    where = str(folder.resolve())
    mounts = [line.split() for line in Path("/proc/mounts").read_text("utf-8").splitlines()]
    holding = [m for m in mounts if where == m[1] or where.startswith(m[1].rstrip("/") + "/")]
    return max(holding, key=lambda mount: len(mount[1]))[2]


if __name__ == "__main__":
    print(flush_us(Path(sys.argv[1])))

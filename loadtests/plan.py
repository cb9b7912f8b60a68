"""What is measured: how many tills, what they send, and what they speak to; and for how long."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Load:
    """So many tills, each with one message of so many operations in flight.

    `mix`: each customer is identified and quoted before the capture. `tls`: between till and
    gateway. `half_peak`: not one message in flight, but arrivals by the clock, at half of the rate
    that MAIN reached.
    """

    tills: int
    frame: int = 1
    mix: bool = False
    tls: bool = False
    sqlite: bool = False
    half_peak: bool = False

    @property
    def key(self) -> str:
        """256_tills; 16_tills_frames_32; 256_tills_tls."""
        frames = [] if self.frame == 1 else [f"frames_{self.frame}"]
        return "_".join([f"{self.tills}_tills", *frames, *self._marks()])

    def __str__(self) -> str:
        tills = f"{self.tills} till" + ("s" if self.tills > 1 else "")
        frames = [] if self.frame == 1 else [f"frames of {self.frame}"]
        return ", ".join([tills, *frames, *map(_WORDS.__getitem__, self._marks())])

    def _marks(self) -> list[str]:
        return [name for name in _WORDS if getattr(self, name)]


_WORDS = {
    "mix": "identify, quote, capture",
    "tls": "TLS",
    "sqlite": "SQLite",
    "half_peak": "half of the peak rate, by the clock",
}

# What differs from PostgreSQL's own defaults, for Bonpunkt and pgbench alike.
POSTGRES_SETTINGS = {
    "shared_buffers": "1GB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "lz4",
    "jit": "off",
}
ONE = Load(tills=1)
MAIN = Load(tills=256)
FRAMES = Load(tills=16, frame=32)
HALF_PEAK = Load(tills=256, half_peak=True)
SQLITE = Load(tills=256, sqlite=True)
# What the goals speak of; MAIN comes before HALF_PEAK, which takes its rate from it.
GOAL_LOADS = (ONE, MAIN, FRAMES, HALF_PEAK, SQLITE)
ALL_LOADS = (
    *(ONE, Load(tills=16), Load(tills=64), MAIN, FRAMES, HALF_PEAK, SQLITE),
    *(Load(tills=256, tls=True), Load(tills=256, mix=True)),
)
BATCH_SIZES = (1, 16, 100, 300)
WARM_UP_CHECKOUTS = 2_000
PROFILED_CHECKOUTS = 20_000  # of each of two runs that do not count


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured, and how long."""

    loads: Sequence[Load]
    repetitions: int
    checkouts: int  # of a run of MAIN; smaller loads do fewer
    pgbench_s: int
    with_limits: bool = False  # our own statements one by one, and our batches alone
    flushes_us: Sequence[int] = ()  # by how much a flush takes longer on the disks to be simulated
    profiled: bool = False

    def checkouts_of(self, load: Load) -> int:
        """Enough that a run takes some seconds, whatever its load."""
        in_flight = load.tills * load.frame
        share = 1.0 if in_flight >= 64 else 0.4 if in_flight >= 16 else 0.05
        if load.mix or load.half_peak:
            share /= 2
        return max(load.tills * load.frame, int(self.checkouts * share))

    def captures_in_batches_of(self, size: int) -> int:
        """As many, for our batches without the services."""
        share = 1.0 if size >= 64 else 0.4 if size >= 16 else 0.05
        return max(size, int(self.checkouts * share) // size * size)

    def members(self, loads: Sequence[Load]) -> int:
        """Every checkout is another member's."""
        once = sum(self.checkouts_of(load) for load in loads)
        profiled = 2 * PROFILED_CHECKOUTS if self.profiled else 0
        return WARM_UP_CHECKOUTS + self.repetitions * once + profiled

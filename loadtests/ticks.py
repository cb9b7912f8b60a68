"""Ticks from the kernel's timer, exact to a few microseconds.

The event loop's own timers are exact to a millisecond only, which is as long as a whole checkout.
"""

import asyncio
import ctypes
import os
import time

_CLOCK_MONOTONIC, _CLOCK_IS_ABSOLUTE = time.CLOCK_MONOTONIC, 1
_SETTLE_S = 0.01  # from asking for ticks to the first of them


class _Time(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))

    @classmethod
    def of(cls, nanoseconds: int) -> "_Time":
        return cls(*divmod(nanoseconds, 1_000_000_000))


class _Timer(ctypes.Structure):
    _fields_ = (("interval", _Time), ("first", _Time))


class Ticks:
    """`async with Ticks(per_s=4000) as ticks: due_s = await ticks.next()`."""

    def __init__(self, *, per_s: float) -> None:
        self._interval_ns = round(1_000_000_000 / per_s)

    async def __aenter__(self) -> "Ticks":
        libc = ctypes.CDLL(None, use_errno=True)
        self._file = libc.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        self._due_ns = time.monotonic_ns() + int(_SETTLE_S * 1e9)
        timer = _Timer(_Time.of(self._interval_ns), _Time.of(self._due_ns))
        failed = self._file < 0 or libc.timerfd_settime(
            self._file, _CLOCK_IS_ABSOLUTE, ctypes.byref(timer), None
        )
        if failed:
            raise OSError(ctypes.get_errno(), "no timer")
        self._passed = 0
        self._waiting = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._file, self._waiting.set)
        return self

    async def __aexit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._file)
        os.close(self._file)

    async def next(self) -> float:
        """Waits for the next tick, and says when it was due, by `time.monotonic()`.

        A caller that comes late gets every tick that it missed, one after the other at once.
        """
        while self._passed == 0:
            try:
                self._passed = int.from_bytes(os.read(self._file, 8), "little")
            except BlockingIOError:
                self._waiting.clear()
                await self._waiting.wait()
        self._passed -= 1
        due_ns, self._due_ns = self._due_ns, self._due_ns + self._interval_ns
        return due_ns / 1e9

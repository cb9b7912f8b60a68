"""Staff passwords: their form, and Argon2id away from the event loop."""

import asyncio
import unicodedata
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

CHARACTERS_MIN = 12
CHARACTERS_MAX = 128
DIFFERENT_CHARACTERS_MIN = 5

# OWASP's floor: 19 MiB, two passes, one lane. A sign-in costs some 30 ms of one core.
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def password_problem(password: str, *, name: str) -> str | None:
    """What is wrong with a new password, as a remedy; None if nothing is."""
    if not CHARACTERS_MIN <= len(password) <= CHARACTERS_MAX:
        return f"password: {CHARACTERS_MIN} to {CHARACTERS_MAX} characters"
    if len(set(password)) < DIFFERENT_CHARACTERS_MIN:
        return f"password: at least {DIFFERENT_CHARACTERS_MIN} different characters"
    if name in password.casefold():
        return "password: must not contain the name"
    return None


class Passwords:
    """Hashes and verifies in one thread of its own.

    One thread bounds what a flood of sign-ins can take: 19 MiB and part of one core, while the loop
    goes on.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="passwords")
        self._of_nobody: str | None = None

    async def hash(self, password: str) -> str:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, _hasher.hash, _normal(password))

    async def verify(self, password: str, password_hash: str | None) -> bool:
        """Whether the password fits. None, for a name that nobody has, takes as long: never."""
        if self._of_nobody is None:
            self._of_nobody = await self.hash("the password of nobody")
        against = password_hash if password_hash is not None else self._of_nobody
        loop = asyncio.get_running_loop()
        fits = await loop.run_in_executor(self._thread, _fits, _normal(password), against)
        return fits and password_hash is not None


def _fits(password: str, password_hash: str) -> bool:
    try:
        return _hasher.verify(password_hash, password)
    except VerifyMismatchError:
        return False


def _normal(password: str) -> str:
    """Keyboards compose an "ü" in two ways; both are the same password."""
    return unicodedata.normalize("NFC", password)

"""The programs from Debian's packages that tests run against, and where they are."""

import shutil
from dataclasses import dataclass
from pathlib import Path

POSTGRES_FOLDER = Path("/usr/lib/postgresql/15/bin")


class ProgramMissingError(RuntimeError):
    """A program is not on this machine; tests that need it fail, they are not skipped."""


@dataclass(frozen=True, slots=True)
class Program:
    """An executable and the Debian package that brings it."""

    name: str
    package: str
    folder: Path | None = None

    def find(self) -> Path | None:
        """Where it is, in its own folder first, then on the PATH; None if it is not there."""
        if self.folder is not None and (self.folder / self.name).is_file():
            return self.folder / self.name
        found = shutil.which(self.name)
        return Path(found) if found else None

    def path(self) -> Path:
        """Where it is; raises ProgramMissingError with what to install."""
        found = self.find()
        if found is None:
            raise ProgramMissingError(
                f"{self.name} is not installed: apt-get install {self.package}"
            )
        return found


POSTGRES = Program("postgres", "postgresql", POSTGRES_FOLDER)
INITDB = Program("initdb", "postgresql", POSTGRES_FOLDER)
PGBENCH = Program("pgbench", "postgresql", POSTGRES_FOLDER)
REDIS = Program("redis-server", "redis-server")
CHROMIUM = Program("chromium", "chromium")

REQUIRED = (POSTGRES, INITDB, PGBENCH, REDIS, CHROMIUM)


def missing_packages() -> list[str]:
    """The Debian packages that `apt-get install` has to bring, in a stable order."""
    return list(dict.fromkeys(program.package for program in REQUIRED if program.find() is None))

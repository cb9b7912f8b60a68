"""Certificate authorities and servers' certificates, in files, as good or bad as a test wants."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from services.commands.trial_ca import Authority, Signed, new_authority, signed_by, write

HERE = ("localhost", "127.0.0.1")


@dataclass(frozen=True)
class Files:
    """A server's certificate and key, to be renewed in place; and the CA that clients trust."""

    folder: Path
    authority: Authority = field(default_factory=lambda: new_authority(now=datetime.now(UTC)))

    @property
    def certificate(self) -> Path:
        return self.folder / "server.pem"

    @property
    def key(self) -> Path:
        return self.folder / "server-key.pem"

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    def settings(self, service: str) -> dict[str, str]:
        """Of a service that shows this certificate and trusts this CA."""
        return {
            f"{service}_TLS_CERTIFICATE_FILE": str(self.certificate),
            f"{service}_TLS_KEY_FILE": str(self.key),
            "BONPUNKT_CA_FILE": str(self.ca),
        }

    def write(self, signed: Signed) -> None:
        write(self.ca, self.authority.pem, public=True)
        write(self.key, signed.key)
        write(self.certificate, signed.certificate, public=True)

    def signed(
        self,
        *,
        names: Sequence[str] = HERE,
        by: Authority | None = None,
        begins_in: timedelta = timedelta(days=-60),
        ends_in: timedelta = timedelta(days=30),
    ) -> Signed:
        now = datetime.now(UTC)
        return signed_by(
            by or self.authority, names, begins_at=now + begins_in, ends_at=now + ends_in
        )


def certificate_files(folder: Path) -> Files:
    """A good certificate for this machine."""
    folder.mkdir(parents=True, exist_ok=True)
    files = Files(folder)
    files.write(files.signed())
    return files

"""Certificates from files, read again when they change; and where plain text may be spoken.

The rule: what leaves this machine is encrypted. A port that is not on loopback needs a certificate,
and whoever is asked elsewhere has to show one that a CA of `BONPUNKT_CA_FILE` signed for its name.
"""

import ipaddress
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from environs import Env

from services.runtime.logs import logger
from services.runtime.settings import refuse

OFF = "off"  # instead of an address: do not listen at all
_ENCRYPTED, _PLAIN = "https://", "http://"

log = logger(__name__)


class CertificateError(ValueError):
    """A certificate or key that cannot be used; `path` names the file."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.path = path


@dataclass(frozen=True, slots=True)
class Loaded:
    """A certificate chain and its key as read, PEM, and until when the first of the chain holds."""

    chain: bytes
    key: bytes
    ends_at: datetime


class KeyPair:
    """A certificate and its key, as the files have them now.

    A renewed pair that cannot be used (a key of another certificate, since only one of the files
    was replaced so far; one that has ended) is not taken: the last good one stays until the files
    change again. May be asked from any thread.
    """

    def __init__(self, *, certificate: Path, key: Path) -> None:
        """Raises CertificateError."""
        self._certificate, self._key = certificate, key
        self._lock = threading.Lock()
        self._seen = self._signature()
        self._loaded = load_pair(certificate, key)

    def current(self) -> Loaded:
        """The last good pair; looks first whether the files were replaced."""
        with self._lock:
            signature = self._signature()
            if signature != self._seen:
                self._seen = signature
                self._renew()
            return self._loaded

    def context(self) -> ssl.SSLContext:
        """For servers of Python's own: every handshake gets the pair as it is by then."""
        used = self.current()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self._certificate, self._key)

        def renew(connection: ssl.SSLObject | ssl.SSLSocket, *_: object) -> None:
            nonlocal used
            if (now := self.current()) is not used:
                context.load_cert_chain(self._certificate, self._key)
                used = now
            connection.context = context

        context.sni_callback = renew
        return context

    def _renew(self) -> None:
        try:
            self._loaded = load_pair(self._certificate, self._key)
        except CertificateError as error:
            log.error("a renewed certificate is not taken", why=str(error))
        else:
            ends_at = self._loaded.ends_at.isoformat()
            log.info("certificate renewed", file=str(self._certificate), ends_at=ends_at)

    def _signature(self) -> tuple[object, ...]:
        """Changes whenever one of the files is written or replaced, or comes or goes."""
        found: list[object] = []
        for path in (self._certificate, self._key):
            try:
                status = path.stat()
            except OSError as error:
                found.append(error.errno)
            else:
                found.append((status.st_ino, status.st_mtime_ns, status.st_size))
        return tuple(found)


def load_pair(certificate: Path, key: Path) -> Loaded:
    """Both files, if they belong together and hold now. Raises CertificateError."""
    chain_pem, key_pem = _bytes_of(certificate), _bytes_of(key)
    try:
        own = x509.load_pem_x509_certificates(chain_pem)[0]
    except ValueError as error:
        raise CertificateError(certificate, "holds no certificate in PEM") from error
    try:
        private = load_pem_private_key(key_pem, password=None)
    except (ValueError, TypeError) as error:
        words = "holds no private key in PEM without a pass phrase"
        raise CertificateError(key, words) from error
    if _public(private.public_key()) != _public(own.public_key()):
        raise CertificateError(key, f"is not the key of {certificate}")
    now = datetime.now(UTC)
    if now < own.not_valid_before_utc:
        raise CertificateError(certificate, f"begins only at {own.not_valid_before_utc:%F %T} UTC")
    if now >= own.not_valid_after_utc:
        raise CertificateError(certificate, f"has ended at {own.not_valid_after_utc:%F %T} UTC")
    return Loaded(chain_pem, key_pem, own.not_valid_after_utc)


def is_loopback(address: str) -> bool:
    """Whether `host:port` (or `unix:path`) stays within this machine."""
    if address.startswith("unix:"):
        return True
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def split_target(target: str) -> tuple[str, bool]:
    """`host:port` of a target, and whether it is asked by TLS: unless it is on loopback, always.

    `https://host:port` asks for TLS on loopback, too.
    """
    if target.startswith(_ENCRYPTED):
        return target.removeprefix(_ENCRYPTED), True
    address = target.removeprefix(_PLAIN)
    return address, not is_loopback(address)


def read_key_pair(
    env: Env, prefix: str, *, certificate: Path | None, key: Path | None, ports: Mapping[str, str]
) -> KeyPair | None:
    """The pair of the settings PREFIX_CERTIFICATE_FILE and PREFIX_KEY_FILE; None without them.

    Refuses a pair that cannot be used, and without one every address of `ports` (by the names of
    their settings) that others could reach in plain text.
    """
    of_certificate, of_key = f"{prefix}_CERTIFICATE_FILE", f"{prefix}_KEY_FILE"
    if certificate is not None and key is not None:
        try:
            return KeyPair(certificate=certificate, key=key)
        except CertificateError as error:
            refuse(env, of_certificate if error.path == certificate else of_key, str(error))
            return None
    if certificate is not None or key is not None:
        missing = of_key if key is None else of_certificate
        refuse(env, missing, "certificate and key belong together; set both or neither")
        return None
    for name, address in ports.items():
        if address != OFF and not is_loopback(address):
            words = (
                f"{address} is not on loopback, where alone plain text is spoken: set "
                f"{of_certificate} and {of_key} (bonpunkt certs makes a pair to try), "
                "or listen on 127.0.0.1"
            )
            refuse(env, name, words)
    return None


def read_ca(env: Env, targets: Mapping[str, str]) -> bytes | None:
    """The certificates of `BONPUNKT_CA_FILE`, PEM; None if it is not set.

    `targets`, by the names of their settings, are refused if they could not be asked safely.
    """
    path = env.path("BONPUNKT_CA_FILE", None)
    for name, target in targets.items():
        address, encrypted = split_target(target)
        if target.startswith(_PLAIN) and not is_loopback(address):
            refuse(env, name, f"{target} is not on loopback; write https:// or leave it away")
        elif encrypted and path is None:
            words = f"{target} is asked by TLS: name the CA that signed its certificate"
            refuse(env, "BONPUNKT_CA_FILE", f"{words} ({name})")
    if path is None:
        return None
    try:
        return load_ca(path)
    except CertificateError as error:
        refuse(env, "BONPUNKT_CA_FILE", str(error))
        return None


def load_ca(path: Path) -> bytes:
    """PEM certificates to trust. Raises CertificateError."""
    pem = _bytes_of(path)
    try:
        x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise CertificateError(path, "holds no certificate in PEM") from error
    return pem


def why_not_connected(details: str) -> str:
    """gRPC's words about a connection that failed, and what they mean where it was for TLS."""
    for sign, words in _MEANINGS.items():
        if sign in details:
            return f"{words} ({' '.join(details.split())})"
    return " ".join(details.split())


_MEANINGS = {
    "certificate has expired": "its certificate has expired",
    "certificate is not yet valid": "its certificate does not hold yet",
    "Hostname Verification Check failed": "its certificate is for other names than this address",
    "WRONG_VERSION_NUMBER": "it speaks plain text where TLS was expected",
    "CERTIFICATE_VERIFY_FAILED": "no CA in BONPUNKT_CA_FILE has signed its certificate",
    "certificate signature failure": "no CA in BONPUNKT_CA_FILE has signed its certificate",
    "Socket closed": "it hung up at once; if it speaks TLS, write https:// before the address",
}


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CertificateError(path, f"cannot be read ({error.strerror})") from error


def _public(key: object) -> bytes:
    encoded: bytes = key.public_bytes(  # type: ignore[attr-defined]
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )
    return encoded

"""Where plain text may be spoken, and which certificates are taken."""

from datetime import timedelta
from pathlib import Path

import pytest

from services.runtime.tls import CertificateError, KeyPair, is_loopback, load_pair, split_target
from tests.servers.certificates import Files, certificate_files


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return certificate_files(tmp_path)


@pytest.mark.parametrize(
    "address", ["127.0.0.1:7702", "127.8.8.8:1", "localhost:7702", "[::1]:7702", "unix:socket"]
)
def test_what_stays_on_this_machine_is_loopback(address: str) -> None:
    assert is_loopback(address)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0:7702",
        "[::]:7702",
        ":7702",
        "*:7702",
        "192.168.1.5:7702",
        "loyalty:7702",
        "localhost.example:7702",
        "127.0.0.1.example:7702",
        "dns:///localhost.example:7702",
    ],
)
def test_everything_else_is_not_loopback(address: str) -> None:
    assert not is_loopback(address)


@pytest.mark.parametrize(
    ("target", "address", "encrypted"),
    [
        ("127.0.0.1:7702", "127.0.0.1:7702", False),
        ("https://127.0.0.1:7702", "127.0.0.1:7702", True),
        ("http://127.0.0.1:7702", "127.0.0.1:7702", False),
        ("loyalty:7702", "loyalty:7702", True),
        ("https://loyalty:7702", "loyalty:7702", True),
        ("http://loyalty:7702", "loyalty:7702", True),
    ],
)
def test_only_loopback_is_asked_in_plain_text(target: str, address: str, encrypted: bool) -> None:
    assert split_target(target) == (address, encrypted)


def test_a_pair_is_loaded_with_its_end(files: Files) -> None:
    loaded = load_pair(files.certificate, files.key)

    assert loaded.chain == files.certificate.read_bytes()
    assert loaded.key == files.key.read_bytes()


def test_a_certificate_that_has_ended_is_refused_and_one_that_still_holds_is_not(
    files: Files,
) -> None:
    files.write(files.signed(ends_in=timedelta(minutes=5)))
    load_pair(files.certificate, files.key)

    files.write(files.signed(ends_in=timedelta(seconds=-1)))
    with pytest.raises(CertificateError, match="has ended at"):
        load_pair(files.certificate, files.key)


def test_a_certificate_that_does_not_hold_yet_is_refused(files: Files) -> None:
    files.write(files.signed(begins_in=timedelta(minutes=5)))

    with pytest.raises(CertificateError, match="begins only at"):
        load_pair(files.certificate, files.key)


def test_a_key_of_another_certificate_is_refused_by_the_name_of_its_file(files: Files) -> None:
    files.key.write_bytes(files.signed().key)

    with pytest.raises(CertificateError, match="is not the key of") as caught:
        load_pair(files.certificate, files.key)
    assert caught.value.path == files.key


@pytest.mark.parametrize("name", ["certificate", "key"])
@pytest.mark.parametrize("content", [None, b"", b"no PEM"])
def test_a_file_that_is_missing_or_holds_something_else_is_named(
    files: Files, name: str, content: bytes | None
) -> None:
    path: Path = getattr(files, name)
    path.unlink() if content is None else path.write_bytes(content)

    with pytest.raises(CertificateError) as caught:
        load_pair(files.certificate, files.key)
    assert caught.value.path == path
    assert str(path) in str(caught.value)


def test_a_renewed_pair_is_taken_and_nothing_is_read_while_the_files_stay(files: Files) -> None:
    pair = KeyPair(certificate=files.certificate, key=files.key)
    first = pair.current()
    assert pair.current() is first

    files.write(files.signed())

    assert pair.current() is not first
    assert pair.current().chain == files.certificate.read_bytes()


def test_a_half_renewed_pair_is_not_taken_until_the_other_half_is_there(files: Files) -> None:
    pair = KeyPair(certificate=files.certificate, key=files.key)
    first, renewed = pair.current(), files.signed()

    files.key.write_bytes(renewed.key)
    assert pair.current() is first

    files.certificate.write_bytes(renewed.certificate)
    assert pair.current().chain == renewed.certificate


def test_the_last_good_pair_stays_while_the_files_are_away_or_have_ended(files: Files) -> None:
    pair = KeyPair(certificate=files.certificate, key=files.key)
    first = pair.current()

    files.certificate.unlink()
    assert pair.current() is first

    files.write(files.signed(ends_in=timedelta(seconds=-1)))
    assert pair.current() is first

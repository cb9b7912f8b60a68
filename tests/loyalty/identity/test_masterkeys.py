"""The file of master keys: made once, newest first, secret, and never half written."""

import threading
from pathlib import Path

import pytest

from services.loyalty.identity.masterkeys import (
    MasterKey,
    MasterKeyFile,
    MasterKeysError,
    add_key,
    make_file,
    remove_key,
)
from services.loyalty.identity.sealing import BrokenSealError, new_key

MEMBER = "0198c6f4-0000-7000-8000-000000000001"
OTHER = "0198c6f4-0000-7000-8000-000000000002"
HEX = "ab" * 32


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "identity-keys"


def versions(path: Path) -> list[int]:
    return [key.version for key in MasterKeyFile(path).keys().keys]


def test_a_file_is_made_for_its_owner_only(path: Path) -> None:
    make_file(path)

    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert versions(path) == [1]
    assert [file.name for file in path.parent.iterdir()] == [path.name], "nothing is left over"


def test_a_file_that_is_there_stays(path: Path) -> None:
    make_file(path)
    before = path.read_bytes()

    make_file(path)

    assert path.read_bytes() == before


def test_of_many_who_make_it_at_once_one_is_first(path: Path) -> None:
    seen: list[bytes] = []

    def make() -> None:
        make_file(path)
        seen.append(MasterKeyFile(path).keys().newest.secret)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(seen) == 8
    assert len(set(seen)) == 1


def test_a_new_key_comes_first_and_the_old_ones_stay(path: Path) -> None:
    assert add_key(path) == 1
    old = MasterKeyFile(path).keys().newest

    assert add_key(path) == 2

    assert versions(path) == [2, 1]
    assert MasterKeyFile(path).keys().of(1).secret == old.secret
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_old_key_can_be_removed_and_the_newest_cannot(path: Path) -> None:
    for _ in range(3):
        add_key(path)

    remove_key(path, 1)
    with pytest.raises(MasterKeysError, match="in use"):
        remove_key(path, 3)
    with pytest.raises(MasterKeysError, match="master key 1"):
        remove_key(path, 1)

    assert versions(path) == [3, 2]


def test_a_changed_file_is_read_again(path: Path) -> None:
    make_file(path)
    file = MasterKeyFile(path)
    before = file.keys()
    assert file.keys() is before

    add_key(path)

    assert file.keys().newest.version == 2


def test_a_missing_file_is_told_by_the_name_of_the_setting(path: Path) -> None:
    with pytest.raises(MasterKeysError, match=r"LOYALTY_IDENTITY_KEYS_FILE.*is no file"):
        MasterKeyFile(path).keys()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "has no key"),
        ("# nothing but words\n\n", "has no key"),
        (f"1 {HEX}\n2 {HEX}\n", "line 2: the newest key comes first"),
        (f"1 {HEX}\n1 {HEX}\n", "line 2: the newest key comes first"),
        (f"0 {HEX}\n", "line 1: send a version"),
        (f"x {HEX}\n", "line 1: send a version"),
        (f"# words\n1 {HEX[:-1]}\n", "line 2: send a version"),
        (f"1 {HEX}0\n", "line 1: send a version"),
        (HEX, "line 1: send a version"),
    ],
)
def test_a_wrong_line_is_named_and_not_told(path: Path, content: str, words: str) -> None:
    path.parent.mkdir()
    path.write_text(content)

    with pytest.raises(MasterKeysError, match=words) as raised:
        MasterKeyFile(path).keys()

    assert HEX[:8] not in str(raised.value)


def test_a_key_does_not_tell_its_secret() -> None:
    secret = new_key()

    assert secret.hex() not in repr(MasterKey(1, secret))
    assert repr(secret) not in repr(MasterKey(1, secret))


def test_a_data_key_is_wrapped_for_one_member_by_one_master_key() -> None:
    first, second = MasterKey(1, new_key()), MasterKey(2, new_key())
    data_key = new_key()

    wrapped = first.wrapped(data_key, member_id=MEMBER)

    assert data_key not in wrapped
    assert first.unwrapped(wrapped, member_id=MEMBER) == data_key
    for key, member_id in ((first, OTHER), (second, MEMBER), (MasterKey(2, first.secret), MEMBER)):
        with pytest.raises(BrokenSealError):
            key.unwrapped(wrapped, member_id=member_id)


def test_blind_indexes_of_two_master_keys_have_nothing_in_common() -> None:
    first, second = MasterKey(1, new_key()), MasterKey(2, new_key())

    assert first.digest(kind=1, normal="a") != second.digest(kind=1, normal="a")
    assert first.fingerprint != second.fingerprint

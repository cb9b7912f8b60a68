"""A vault with its keys, over an opened ledger, on each database."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from bonpunkt.till import operations
from services.loyalty.answers import Answer
from services.loyalty.domain.command import Command
from services.loyalty.identity.erasure import Eraser
from services.loyalty.identity.erasure_log import Erasure, ErasureLog
from services.loyalty.identity.keystore import keys_metadata
from services.loyalty.identity.opening import open_vault
from services.loyalty.identity.profile import Consent, Profile
from services.loyalty.identity.settings import IdentitySettings
from services.loyalty.identity.vault import Vault
from services.loyalty.office.instants import micros
from services.loyalty.store import normal_url
from tests.loyalty.ledgers import Ledger

NOW = datetime(2026, 11, 20, 11, 0, tzinfo=UTC)
ACTOR = "staff:mia"
ANNA = Profile(
    given_name="Anna",
    surname="Müller",
    email="anna@example.org",
    phone="+4930123456",
    birthday="1990-02-28",
    language="de",
)


class OfficeClock:
    """The office's time, until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def move(self, by: timedelta) -> None:
        self.now += by


class CommandLine:
    """The ledger as an erasure uses it; counts what it is asked."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.asked: list[Command] = []

    async def commit(self, command: Command, *, timeout_s: float) -> Answer:
        self.asked.append(command)
        return await self._ledger.answer(command, timeout_s=timeout_s)


@dataclass(frozen=True, slots=True)
class Identities:
    """Everything of the vault, in a test's hands."""

    ledger: Ledger
    settings: IdentitySettings
    vault: Vault
    line: CommandLine
    clock: OfficeClock

    @property
    def log(self) -> ErasureLog:
        return ErasureLog(self.settings.erasure_log)

    @property
    def eraser(self) -> Eraser:
        return Eraser(self.vault, self.log, self.line)

    async def person(self, card: str = "2900000000018", profile: Profile = ANNA) -> str:
        """A member with a card and personal data; answers their id."""
        (enrolment,) = await self.ledger.enrolled(card)
        version = await self.vault.put(enrolment.member_id, profile, actor=ACTOR)
        assert version == 1
        return enrolment.member_id

    def erasure(self, member_id: str) -> Erasure:
        return Erasure(
            operation_id=operations.new_id(),
            member_id=member_id,
            ground="request",
            actor=ACTOR,
            at=self.clock(),
        )

    def consent(self, **changes: object) -> Consent:
        consent = Consent(
            consent_id=operations.new_id(),
            purpose="email_marketing",
            given=True,
            text_version="2026-01",
            channel="till",
            at_us=micros(self.clock()),
            recorded_at_us=micros(self.clock()),
        )
        return replace(consent, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
async def shared_keys_url(make_postgres_database: Callable[[], str]) -> str:
    """One database for the keys of all tests: making one for each takes longer than they do."""
    url = make_postgres_database()
    engine = create_async_engine(normal_url(url))
    async with engine.begin() as connection:
        await connection.run_sync(keys_metadata.create_all)
    await engine.dispose()
    return url


@pytest.fixture
def postgres_keys_url(shared_keys_url: str) -> str:
    """The shared database, as empty as a new one."""
    with psycopg.connect(shared_keys_url, autocommit=True) as connection:
        connection.execute("".join(f"DELETE FROM {name};" for name in keys_metadata.tables))
    return shared_keys_url


@pytest.fixture
def keys_url(request: pytest.FixtureRequest, ledger_url: str, tmp_path: Path) -> str:
    """A database of the keys' own, of the same kind as the ledger's."""
    if ledger_url.startswith("sqlite"):
        return f"sqlite:///{tmp_path / 'keys.sqlite'}"
    url: str = request.getfixturevalue("postgres_keys_url")
    return url


@pytest.fixture
def identity_settings(tmp_path: Path, keys_url: str) -> IdentitySettings:
    return IdentitySettings(
        keys_file=tmp_path / "identity-keys",
        keys_file_may_be_made=True,
        keys_database_url=keys_url,
        erasure_log=tmp_path / "erasures.log",
        phone_country_code="49",
    )


@pytest.fixture
async def identities(
    ledger: Ledger, identity_settings: IdentitySettings
) -> AsyncIterator[Identities]:
    clock = OfficeClock()
    vault = await open_vault(ledger.engine, identity_settings, clock)
    yield Identities(ledger, identity_settings, vault, CommandLine(ledger), clock)
    await vault.keys.close()

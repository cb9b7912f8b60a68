"""The vault: a person's data, sealed by member, and the blind indexes by which they are found.

Every writer takes the office's lock (the head of the audit) first, in the transaction that also
writes the audit entry; so an erasure and a change of the same person never overlap.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from sqlalchemy import Row, delete, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.loyalty import schema
from services.loyalty.domain.member import Status
from services.loyalty.identity.keystore import KeyStore
from services.loyalty.identity.masterkeys import MasterKey, MasterKeysError
from services.loyalty.identity.normal import Kind
from services.loyalty.identity.profile import (
    Consent,
    Profile,
    consent_document,
    consent_from,
    index_texts,
    profile_document,
    profile_from,
)
from services.loyalty.identity.schema import (
    identity,
    identity_consent,
    identity_index,
    identity_key_store,
    identity_tombstone,
)
from services.loyalty.identity.sealing import binding, seal, unseal
from services.loyalty.keys import bucket_of, member_bucket
from services.loyalty.office.audit import append_audit, lock_audit, reading
from services.loyalty.office.instants import Clock, micros

FOUND_MAX = 50


class KeyLostError(Exception):
    """A person's row is there and their key is not: an erasure is under way or was broken off, or
    the key store is older than the vault.
    """


class Refusal(Enum):
    """Why nothing was written, in the order in which the checks run."""

    MEMBER_UNKNOWN = "member_unknown"
    ERASED = "erased"
    MERGED = "merged"
    IDENTITY_UNKNOWN = "identity_unknown"
    CHANGED_MEANWHILE = "changed_meanwhile"
    CONSENT_REUSED = "consent_reused"


@dataclass(frozen=True, slots=True)
class Tombstone:
    """That a member was erased: no personal data."""

    member_id: str
    operation_id: str
    erased_at_us: int
    ground: str
    actor: str


@dataclass(frozen=True, slots=True)
class Person:
    """What is known of a member now. Consents oldest first."""

    member_id: str
    profile: Profile
    version: int
    consents: tuple[Consent, ...]


class Vault:
    def __init__(self, engine: AsyncEngine, keys: KeyStore, clock: Clock) -> None:
        self.engine, self.keys = engine, keys
        self._reading = reading(engine)
        self.clock = clock

    async def open(self) -> None:
        """Binds the ledger to its key store. MasterKeysError if it is bound to another one."""
        table = identity_key_store
        async with self.engine.begin() as connection:
            await lock_audit(connection)
            bound_to = await connection.scalar(select(table.c.store_id))
            if bound_to is None:
                values = {"only_row": 1, "store_id": self.keys.store_id}
                await connection.execute(insert(table).values(values))
            index_versions = set(
                await connection.scalars(select(identity_index.c.master_version).distinct())
            )
        if bound_to is not None and bound_to != self.keys.store_id:
            raise MasterKeysError(
                "LOYALTY_KEYS_DATABASE_URL: this is not the key store of this ledger; "
                "name the right one, or restore it from its backup"
            )
        keys = await self.keys.master_keys()
        for version in index_versions:
            keys.of(version)

    async def find(self, member_id: str) -> Person | Tombstone | None:
        """KeyLostError, or BrokenSealError if a row was changed."""
        async with self._reading.connect() as connection:
            return await self.find_in(connection, member_id)

    async def find_in(
        self, connection: AsyncConnection, member_id: str
    ) -> Person | Tombstone | None:
        """As that connection sees it."""
        tombstone = await find_tombstone(connection, member_id)
        if tombstone is not None:
            return tombstone
        row = await _row(connection, member_id)
        if row is None:
            return None
        key = await self._key(member_id)
        consents = await _consents(connection, member_id, key)
        return Person(member_id, _opened(row, key), row.version, consents)

    async def search(self, wanted: Iterable[tuple[Kind, str]]) -> tuple[list[Person], bool]:
        """People with any of these normalised texts, and whether there are more than so many."""
        keys = (await self.keys.master_keys()).keys
        places = [_place(key, kind, normal) for kind, normal in wanted for key in keys]
        table = identity_index
        async with self._reading.connect() as connection:
            found = await connection.scalars(
                select(table.c.member_id)
                .where(tuple_(table.c.bucket, table.c.kind, table.c.digest).in_(places))
                .distinct()
                .order_by(table.c.member_id)
                .limit(FOUND_MAX + 1)
            )
            members = [str(member_id) for member_id in found]
            people = [await self.find_in(connection, member) for member in members[:FOUND_MAX]]
        return [p for p in people if isinstance(p, Person)], len(members) > FOUND_MAX

    async def put(
        self, member_id: str, profile: Profile, *, actor: str, if_version: int = 0
    ) -> int | Refusal:
        """Replaces the profile and answers its version; the same one again changes nothing."""
        async with self.engine.begin() as connection:
            await lock_audit(connection)
            refusal = await self._refusal(connection, member_id)
            if refusal is not None:
                return refusal
            row = await _row(connection, member_id)
            version = row.version if row is not None else 0
            if if_version not in (0, version):
                return Refusal.CHANGED_MEANWHILE
            if row is None:
                key = await self.keys.make(member_id)
            else:
                key = await self._key(member_id)
                if _opened(row, key) == profile:
                    return version
            await self._write(connection, member_id, profile, key, version=version + 1)
            await self._record(
                connection, actor, "identity.put", member_id, f"version {version + 1}"
            )
        return version + 1

    async def _write(
        self,
        connection: AsyncConnection,
        member_id: str,
        profile: Profile,
        key: bytes,
        *,
        version: int,
    ) -> None:
        values = {
            "version": version,
            "sealed": seal(
                key, profile_document(profile), bound_to=_profile_binding(member_id, version)
            ),
            "changed_at_us": micros(self.clock()),
        }
        if version == 1:
            place = {"bucket": member_bucket(member_id), "member_id": member_id}
            await connection.execute(insert(identity).values(**place, **values))
        else:
            await connection.execute(
                update(identity).where(*_of(identity, member_id)).values(values)
            )
        newest = (await self.keys.master_keys()).newest
        await replace_indexes(connection, member_id, profile, newest)

    async def add_consent(
        self, member_id: str, consent: Consent, *, actor: str
    ) -> Consent | Refusal:
        """Appends to the history; the same consent again answers the one that is there."""
        async with self.engine.begin() as connection:
            await lock_audit(connection)
            refusal = await self._refusal(connection, member_id)
            if refusal is not None:
                return refusal
            if await _row(connection, member_id) is None:
                return Refusal.IDENTITY_UNKNOWN
            key = await self._key(member_id)
            known = await _consents(connection, member_id, key)
            for earlier in known:
                if earlier.consent_id == consent.consent_id:
                    return earlier if _is_same(earlier, consent) else Refusal.CONSENT_REUSED
            sequence = len(known) + 1
            sealed = seal(
                key, consent_document(consent), bound_to=_consent_binding(member_id, sequence)
            )
            await connection.execute(
                insert(identity_consent).values(
                    bucket=member_bucket(member_id),
                    member_id=member_id,
                    sequence=sequence,
                    consent_id=consent.consent_id,
                    sealed=sealed,
                )
            )
            await self._record(connection, actor, "identity.consent", member_id)
        return consent

    async def note(self, actor: str, action: str, subject: str, detail: str = "") -> None:
        """Writes an act that changes nothing here, such as reading, into the audit."""
        async with self.engine.begin() as connection:
            await self._record(connection, actor, action, subject, detail)

    async def _record(
        self,
        connection: AsyncConnection,
        actor: str,
        action: str,
        subject: str,
        detail: str = "",
    ) -> None:
        await append_audit(
            connection,
            at=self.clock(),
            actor=actor,
            action=action,
            subject=subject,
            detail=detail,
        )

    async def _refusal(self, connection: AsyncConnection, member_id: str) -> Refusal | None:
        """Whether the member, as the ledger has them, can have personal data."""
        if await find_tombstone(connection, member_id) is not None:
            return Refusal.ERASED
        status = await connection.scalar(
            select(schema.member.c.status).where(*_of(schema.member, member_id))
        )
        return {
            None: Refusal.MEMBER_UNKNOWN,
            Status.ERASED.value: Refusal.ERASED,
            Status.MERGED.value: Refusal.MERGED,
        }.get(status)

    async def _key(self, member_id: str) -> bytes:
        key = await self.keys.find(member_id)
        if key is None:
            raise KeyLostError(
                "the person's key is gone: finish their erasure by repeating it, or restore the "
                "key store, which is older than the vault"
            )
        return key


async def replace_indexes(
    connection: AsyncConnection, member_id: str, profile: Profile, master: MasterKey
) -> None:
    """All indexes of a member, by this master key only."""
    await connection.execute(delete(identity_index).where(identity_index.c.member_id == member_id))
    places = [_place(master, kind, normal) for kind, normal in index_texts(profile).items()]
    rows = [
        {
            "bucket": bucket,
            "kind": kind,
            "digest": digest,
            "member_id": member_id,
            "master_version": master.version,
        }
        for bucket, kind, digest in places
    ]
    if rows:
        await connection.execute(insert(identity_index), rows)


async def read_profile(connection: AsyncConnection, member_id: str, key: bytes) -> Profile | None:
    """The profile as stored; None if there is none any more. BrokenSealError if it was changed."""
    row = await _row(connection, member_id)
    return None if row is None else _opened(row, key)


async def find_tombstone(connection: AsyncConnection, member_id: str) -> Tombstone | None:
    table = identity_tombstone
    row = (await connection.execute(select(table).where(*_of(table, member_id)))).one_or_none()
    if row is None:
        return None
    return Tombstone(
        member_id=member_id,
        operation_id=str(row.operation_id),
        erased_at_us=row.erased_at_us,
        ground=row.ground,
        actor=row.actor,
    )


async def delete_person(connection: AsyncConnection, member_id: str) -> None:
    """Row, consents and indexes. Whoever calls holds the office's lock and destroys the key."""
    for table in (identity, identity_consent):
        await connection.execute(delete(table).where(*_of(table, member_id)))
    await connection.execute(delete(identity_index).where(identity_index.c.member_id == member_id))


def _of(table: Any, member_id: str) -> tuple[Any, Any]:
    return table.c.bucket == member_bucket(member_id), table.c.member_id == member_id


async def _row(connection: AsyncConnection, member_id: str) -> Row[Any] | None:
    found = await connection.execute(select(identity).where(*_of(identity, member_id)))
    return found.one_or_none()


def _opened(row: Row[Any], key: bytes) -> Profile:
    bound_to = _profile_binding(str(row.member_id), row.version)
    return profile_from(unseal(key, row.sealed, bound_to=bound_to))


async def _consents(connection: AsyncConnection, member_id: str, key: bytes) -> tuple[Consent, ...]:
    table = identity_consent
    rows = await connection.execute(
        select(table.c.sequence, table.c.sealed)
        .where(*_of(table, member_id))
        .order_by(table.c.sequence)
    )
    return tuple(
        consent_from(unseal(key, row.sealed, bound_to=_consent_binding(member_id, row.sequence)))
        for row in rows
    )


def _is_same(earlier: Consent, consent: Consent) -> bool:
    """What time it was does not count: a call without a time means another one when repeated."""
    return consent == replace(earlier, at_us=consent.at_us, recorded_at_us=consent.recorded_at_us)


def _profile_binding(member_id: str, version: int) -> bytes:
    return binding(member_id, purpose="profile", version=version)


def _consent_binding(member_id: str, sequence: int) -> bytes:
    return binding(member_id, purpose="consent", version=sequence)


def _place(master: MasterKey, kind: Kind, normal: str) -> tuple[int, int, bytes]:
    """Bucket, kind and digest of a blind index."""
    digest = master.digest(kind=kind, normal=normal)
    return bucket_of(bytes((kind,)) + digest), int(kind), digest

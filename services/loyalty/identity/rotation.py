"""Rotation: every data key wrapped anew, every blind index made anew, by the newest master key.

What is still to do is in the rows themselves, so it may be broken off and begun again at any time.
The people's data stay as they are: only the wrapping of their keys changes.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.loyalty.identity.keystore import KeyStore
from services.loyalty.identity.masterkeys import MasterKey, MasterKeys
from services.loyalty.identity.schema import identity_index
from services.loyalty.identity.sealing import BrokenSealError
from services.loyalty.identity.vault import Vault, read_profile, replace_indexes
from services.loyalty.office.audit import lock_audit, reading
from services.runtime.logs import logger

SLICE = 100  # people at a time; the office waits no longer than for one slice

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Progress:
    """`failed`: people whose rows did not open; they are left as they are."""

    master_version: int
    keys_done: int
    keys_total: int
    indexes_done: int
    indexes_total: int
    failed: int = 0


async def rotate(vault: Vault) -> AsyncIterator[Progress]:
    """Progress after each slice, and once more at the end."""
    keys = await vault.keys.master_keys()
    version = keys.newest.version
    progress = Progress(
        master_version=version,
        keys_done=0,
        keys_total=sum(n for v, n in (await vault.keys.use()).items() if v != version),
        indexes_done=0,
        indexes_total=await _people_to_index(vault, version),
    )
    yield progress
    async for done, failed in _rewrap_all(vault.keys, keys):
        progress = replace(progress, keys_done=done, failed=failed)
        yield progress
    before = progress.failed
    async for done, failed in _index_all(vault, keys.newest):
        progress = replace(progress, indexes_done=done, failed=before + failed)
        yield progress


async def index_use(vault: Vault) -> dict[int, int]:
    """How many people are indexed by each master key."""
    table = identity_index
    async with reading(vault.engine).connect() as connection:
        found = await connection.execute(
            select(table.c.master_version, func.count(table.c.member_id.distinct())).group_by(
                table.c.master_version
            )
        )
        return {version: count for version, count in found}  # noqa: C416  rows are no pairs


async def _people_to_index(vault: Vault, version: int) -> int:
    return sum(count for v, count in (await index_use(vault)).items() if v != version)


async def _rewrap_all(store: KeyStore, keys: MasterKeys) -> AsyncIterator[tuple[int, int]]:
    """Keys done and failed, after each slice."""
    done = failed = 0
    after = ""
    newest = keys.newest
    while rows := await store.older_than(newest.version, after=after, limit=SLICE):
        for member_id, version, wrapped in rows:
            try:
                data_key = keys.of(version).unwrapped(wrapped, member_id=member_id)
            except BrokenSealError as error:
                log.error("a data key does not open", member_id=member_id, error=str(error))
                failed += 1
                continue
            await store.rewrap(
                member_id,
                before=version,
                after=newest.version,
                wrapped=newest.wrapped(data_key, member_id=member_id),
            )
            done += 1
        after = rows[-1][0]
        yield done, failed


async def _index_all(vault: Vault, newest: MasterKey) -> AsyncIterator[tuple[int, int]]:
    done = failed = 0
    after = ""
    while True:
        async with vault.engine.begin() as connection:
            await lock_audit(connection)
            members = await _older_indexes(connection, newest.version, after=after)
            for member_id in members:
                if await _index(connection, vault, member_id, newest):
                    done += 1
                else:
                    failed += 1
        if not members:
            return
        after = members[-1]
        yield done, failed


async def _older_indexes(connection: AsyncConnection, version: int, *, after: str) -> list[str]:
    table = identity_index
    wanted = select(table.c.member_id).where(table.c.master_version != version)
    if after:
        wanted = wanted.where(table.c.member_id > after)
    found = await connection.scalars(wanted.distinct().order_by(table.c.member_id).limit(SLICE))
    return [str(member_id) for member_id in found]


async def _index(
    connection: AsyncConnection, vault: Vault, member_id: str, newest: MasterKey
) -> bool:
    """Whether the member's indexes are made anew; those of a row that does not open stay."""
    try:
        key = await vault.keys.find(member_id)
        profile = await read_profile(connection, member_id, key) if key is not None else None
    except BrokenSealError as error:
        log.error("a person's data do not open", member_id=member_id, error=str(error))
        return False
    if profile is None:  # an erasure that was broken off: finishing it takes the indexes away
        return False
    await replace_indexes(connection, member_id, profile, newest)
    return True

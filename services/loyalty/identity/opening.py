"""Opening the vault when the process starts: everything that would fail later fails now."""

from sqlalchemy.ext.asyncio import AsyncEngine

from services.loyalty.identity.erasure import Eraser, Ledger
from services.loyalty.identity.erasure_log import ErasureLog, ErasureLogError
from services.loyalty.identity.keystore import KeyStore
from services.loyalty.identity.masterkeys import MasterKeyFile
from services.loyalty.identity.settings import IdentitySettings
from services.loyalty.identity.vault import Vault
from services.loyalty.office.instants import Clock
from services.runtime.logs import logger

log = logger(__name__)


async def open_vault(engine: AsyncEngine, settings: IdentitySettings, clock: Clock) -> Vault:
    """The vault of a migrated ledger, with its keys; whoever opens it closes `vault.keys`.

    MasterKeysError if master keys or key store are not those of this ledger.
    """
    keys = KeyStore(settings.keys_database_url, MasterKeyFile(settings.keys_file), clock)
    try:
        await keys.open(may_make_file=settings.keys_file_may_be_made)
        vault = Vault(engine, keys, clock)
        await vault.open()
    except BaseException:
        await keys.close()
        raise
    return vault


async def open_eraser(vault: Vault, settings: IdentitySettings, ledger: Ledger) -> Eraser:
    """Says loudly if the log has people whom this database still knows."""
    eraser = Eraser(vault, ErasureLog(settings.erasure_log), ledger)
    try:
        still_known = await eraser.count_open()
    except ErasureLogError as error:
        log.error("nobody can be erased", error=str(error))
        return eraser
    if still_known:
        log.error(
            "people who were erased are in this database",
            people=still_known,
            remedy="run bonpunkt identity repeat-erasures",
        )
    return eraser

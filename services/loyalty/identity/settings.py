"""Settings of the identity vault. docs/settings.md has the table."""

from dataclasses import dataclass
from pathlib import Path

from environs import Env, EnvValidationError, validate

from services.runtime.databases import with_password
from services.runtime.settings import default_var

_CALLING_CODE = validate.Regexp(
    r"[1-9][0-9]{0,2}\Z", error='send a country calling code without zeros or plus, such as "49"'
)


@dataclass(frozen=True, slots=True)
class IdentitySettings:
    """`keys_file_may_be_made`: it is the default in the data folder, so nobody provides it."""

    keys_file: Path
    keys_file_may_be_made: bool
    keys_database_url: str
    erasure_log: Path
    phone_country_code: str


def read(env: Env, *, ledger_url: str) -> IdentitySettings:
    """From the environment; the key store must not be the ledger's own database."""
    keys_file = env.path("LOYALTY_IDENTITY_KEYS_FILE", None)
    return IdentitySettings(
        keys_file=keys_file or default_var("identity-keys").absolute(),
        keys_file_may_be_made=keys_file is None,
        keys_database_url=_keys_database_url(env, ledger_url=ledger_url),
        erasure_log=env.path("LOYALTY_ERASURE_LOG", default_var("erasures.log").absolute()),
        phone_country_code=env.str("LOYALTY_PHONE_COUNTRY_CODE", "49", validate=_CALLING_CODE),
    )


def keys_file(env: Env) -> Path:
    """Where the master keys are, for commands that edit the file."""
    found = env.path("LOYALTY_IDENTITY_KEYS_FILE", default_var("identity-keys").absolute())
    assert isinstance(found, Path)
    return found


def _keys_database_url(env: Env, *, ledger_url: str) -> str:
    default = f"sqlite:///{default_var('identity-keys.sqlite').absolute()}"
    url = with_password(
        env,
        env.str("LOYALTY_KEYS_DATABASE_URL", default),
        setting="LOYALTY_KEYS_DATABASE_PASSWORD_FILE",
        file=env.path("LOYALTY_KEYS_DATABASE_PASSWORD_FILE", None),
    )
    if url == ledger_url:
        words = (
            "this is the ledger's database; keys need one of their own, or an erased person "
            "would live on in every backup"
        )
        raise EnvValidationError("keys", {"LOYALTY_KEYS_DATABASE_URL": [words]})
    return str(url)

"""What the vault knows of a person, and the documents as which it is sealed."""

from dataclasses import asdict, dataclass, fields, replace
from datetime import date

import orjson

from services.loyalty.identity.normal import (
    Kind,
    normal_email,
    normal_full_name,
    normal_name,
    normal_phone,
)
from services.loyalty.wire_forms import is_language

NAME_MAX = 100
BIRTHDAY_FIRST = date(1900, 1, 1)
_BLOCK = 64  # documents are padded to whole blocks: the length of a name does not show


@dataclass(frozen=True, slots=True, repr=False)  # no error or log may show it by mistake
class Profile:
    """Empty text: not known. `birthday` is YYYY-MM-DD."""

    given_name: str = ""
    surname: str = ""
    email: str = ""
    phone: str = ""
    birthday: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Consent:
    """Given or withdrawn. `at_us`: when the person said so; `channel`: where."""

    consent_id: str
    purpose: str
    given: bool
    text_version: str
    channel: str
    at_us: int
    recorded_at_us: int


def well_formed(
    profile: Profile, *, country_code: str, today: date
) -> tuple[Profile, None] | tuple[None, str]:
    """The profile as it is kept (e-mail and telephone normalised), or field and remedy.

    The words never repeat what was sent.
    """
    profile = Profile(**{f.name: getattr(profile, f.name).strip() for f in fields(Profile)})
    if profile == Profile():
        return None, "profile: send at least one field"
    email = normal_email(profile.email) if profile.email else ""
    phone = normal_phone(profile.phone, country_code=country_code) if profile.phone else ""
    if email is None:
        return None, "email: send an address such as anna@example.org"
    if phone is None:
        return None, "phone: send a number such as +49 30 123456"
    problem = (
        _name_problem("given_name", profile.given_name)
        or _name_problem("surname", profile.surname)
        or _birthday_problem(profile.birthday, today=today)
        or _language_problem(profile.language)
    )
    if problem:
        return None, problem
    return replace(profile, email=email, phone=phone), None


def index_texts(profile: Profile) -> dict[Kind, str]:
    """What the profile can be found by, normalised."""
    full_name = normal_full_name(surname=profile.surname, given_name=profile.given_name)
    texts = {
        Kind.EMAIL: profile.email,
        Kind.PHONE: profile.phone,
        Kind.SURNAME: normal_name(profile.surname),
        Kind.FULL_NAME: full_name or "",
    }
    return {kind: text for kind, text in texts.items() if text}


def profile_document(profile: Profile) -> bytes:
    return _padded(orjson.dumps(asdict(profile)))


def profile_from(document: bytes) -> Profile:
    """Fields that this version does not know are left out."""
    found = orjson.loads(document)
    return Profile(**{f.name: found.get(f.name, "") for f in fields(Profile)})


def consent_document(consent: Consent) -> bytes:
    return _padded(orjson.dumps(asdict(consent)))


def consent_from(document: bytes) -> Consent:
    found = orjson.loads(document)
    return Consent(**{f.name: found[f.name] for f in fields(Consent)})


def _padded(document: bytes) -> bytes:
    """With spaces, which JSON does not mind."""
    return document.ljust(-(-len(document) // _BLOCK) * _BLOCK)


def _name_problem(field: str, name: str) -> str:
    fits = len(name) <= NAME_MAX and all(s.isprintable() or s == "\u00a0" for s in name)
    return "" if fits else f"{field}: at most {NAME_MAX} printable characters"


def _birthday_problem(birthday: str, *, today: date) -> str:
    if not birthday:
        return ""
    remedy = f"birthday: send YYYY-MM-DD, from {BIRTHDAY_FIRST} until today"
    try:
        day = date.fromisoformat(birthday)
    except ValueError:
        return remedy
    return "" if BIRTHDAY_FIRST <= day <= today and birthday == day.isoformat() else remedy


def _language_problem(language: str) -> str:
    fits = not language or (is_language(language) and language.isascii())
    return "" if fits else 'language: send a BCP 47 tag such as "de"'

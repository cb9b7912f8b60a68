"""A programme document: JSON that a retailer can read, checked to the last field.

Every error names the path of its field and what to do about it; errors of form are told all at
once, those between fields as soon as the form is right.
"""

import hashlib
import json
import math
import zoneinfo
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from marshmallow import Schema, ValidationError, fields, validates_schema

from services.loyalty.domain.programme import Programme

NUMBER_MAX = 1_000_000_000  # of points and of minor units
PERCENT_MAX = 1_000  # the ten-fold rate
MONTHS_MAX = 1_200
VERSION_MAX = 2_147_483_647
TEXT_MAX = 100  # characters of a name

MULTIPLIERS_PATH = "earn.category_multipliers_percent"


class ProgrammeError(ValueError):
    """What is wrong with a document: `errors` maps the path of each field to the words for it."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        self.errors = dict(errors)
        super().__init__("\n".join(f"{path}: {words}" for path, words in self.errors.items()))


def read_programme(path: Path) -> Programme:
    """The programme in the file at `path`. Raises ProgrammeError, or OSError for no such file."""
    return load_programme(read_document(path))


def read_document(path: Path) -> dict[str, Any]:
    """The JSON object in the file at `path`, not yet checked beyond being one."""
    try:
        document = json.loads(
            path.read_text(encoding="utf-8"), object_pairs_hook=_object_without_repeated_keys
        )
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ProgrammeError({str(path): f"is no JSON document: {error}"}) from None
    if not isinstance(document, dict):
        raise ProgrammeError({str(path): "has to be a JSON object, in braces"})
    return document


def load_programme(document: Mapping[str, object]) -> Programme:
    """The programme that `document` describes. Raises ProgrammeError."""
    try:
        loaded = _DocumentSchema().load(document)
    except ValidationError as error:
        raise ProgrammeError(dict(_by_path(error.messages_dict))) from None
    earn, redeem = loaded["earn"], loaded["redeem"]
    return Programme(
        name=loaded["name"],
        version=loaded["version"],
        currency=loaded["currency"],
        time_zone=loaded["time_zone"],
        minor_per_point=earn["minor_per_point"],
        category_percent=MappingProxyType(
            {
                **earn["category_multipliers_percent"],
                **dict.fromkeys(earn["excluded_categories"], 0),
            }
        ),
        net_of_points=earn["rated"] == "net_of_points",
        value_points=redeem["points"],
        value_minor=redeem["minor"],
        redeem_minimum=redeem["minimum_points"],
        redeem_step=redeem["step_points"],
        redeem_share_percent=redeem["share_of_basket_percent"],
        expiry_months=loaded["expiry"]["months"],
    )


def document_hash(document: Mapping[str, object]) -> str:
    """SHA-256 in hex over the canonical JSON of `document`: sorted keys, no spaces, ASCII.

    Spacing and the order of keys do not count, every value does; so the journal can name the
    rules that it decided by.
    """
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


# --- fields ---------------------------------------------------------------------------------


class _Checked(fields.Field[Any]):
    """A required value that passes `accepts`, or the error says `what` it has to be."""

    def __init__(self, what: str, accepts: Callable[[Any], bool]) -> None:
        super().__init__(required=True, error_messages=_messages(what))
        self._accepts = accepts

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> Any:
        if not self._accepts(value):
            raise self.make_error("invalid")
        return value


def _messages(what: str) -> dict[str, str | list[Any] | dict[Any, Any]]:
    """The same remedy however a field is wrong; one that is missing is called so."""
    wrong = f"has to be {what}"
    return {"invalid": wrong, "null": wrong, "type": wrong, "required": f"is missing; it {wrong}"}


def _whole_number(least: int, most: int, hint: str = "") -> _Checked:
    return _Checked(
        f"a whole number from {least} to {most}{hint}",
        lambda value: type(value) is int and least <= value <= most,  # True is an int, too
    )


def _text() -> _Checked:
    return _Checked(
        f"a text of 1 to {TEXT_MAX} printable characters, without blanks around it",
        lambda value: (
            isinstance(value, str)
            and 1 <= len(value) <= TEXT_MAX
            and value.isprintable()
            and value == value.strip()
        ),
    )


def _one_of(*choices: str) -> _Checked:
    return _Checked(
        " or ".join(f'"{choice}"' for choice in choices), lambda value: value in choices
    )


def _currency() -> _Checked:
    return _Checked(
        'an ISO 4217 code, such as "EUR"',
        lambda value: (
            isinstance(value, str)
            and len(value) == 3
            and value.isascii()
            and value.isalpha()
            and value.isupper()
        ),
    )


def _time_zone() -> _Checked:
    return _Checked(
        'the name of an IANA time zone, such as "Europe/Berlin"',
        lambda value: isinstance(value, str) and value in zoneinfo.available_timezones(),
    )


def _object(schema: type[Schema]) -> fields.Nested:
    return fields.Nested(
        schema, required=True, error_messages=_messages("a JSON object, in braces")
    )


# --- the document ---------------------------------------------------------------------------


class _Strict(Schema):
    error_messages = {  # noqa: RUF012 (marshmallow merges the class attribute)
        "unknown": "is no key of a programme document; remove it or mend its spelling",
        "type": "has to be a JSON object, in braces",
    }


class _EarnSchema(_Strict):
    minor_per_point = _whole_number(1, NUMBER_MAX, ", the minor units of spend for one point")
    rated = _one_of("net_of_points", "gross")
    excluded_categories = fields.List(
        _text(), required=True, error_messages=_messages("a list of categories; it may be empty")
    )
    category_multipliers_percent = fields.Dict(
        keys=_text(),
        values=_whole_number(
            1,
            PERCENT_MAX,
            ", 100 being the single rate; what earns nothing belongs into excluded_categories",
        ),
        required=True,
        error_messages=_messages("a JSON object of categories and percents; it may be empty"),
    )

    @validates_schema
    def _each_category_has_one_rule(self, data: dict[str, Any], **_: Any) -> None:
        excluded = data["excluded_categories"]
        errors = {}
        for index, category in enumerate(excluded):
            if category in excluded[:index]:
                errors[index] = [f'names "{category}" again; remove it']
            elif category in data["category_multipliers_percent"]:
                errors[index] = [
                    f'names "{category}", which category_multipliers_percent has too;'
                    " remove it from one of the two"
                ]
        if errors:
            raise ValidationError({"excluded_categories": errors})


class _RedeemSchema(_Strict):
    points = _whole_number(1, NUMBER_MAX, ", the points that pay `minor` minor units")
    minor = _whole_number(1, NUMBER_MAX, ", the minor units that `points` points pay")
    minimum_points = _whole_number(1, NUMBER_MAX)
    step_points = _whole_number(1, NUMBER_MAX)
    share_of_basket_percent = _whole_number(0, 100)

    @validates_schema
    def _a_step_is_worth_whole_minor_units(self, data: dict[str, Any], **_: Any) -> None:
        least_step = data["points"] // math.gcd(data["points"], data["minor"])
        if data["step_points"] % least_step:
            raise ValidationError(
                f"is worth a fraction of a minor unit; choose a multiple of {least_step}",
                "step_points",
            )

    @validates_schema
    def _the_minimum_is_a_whole_number_of_steps(self, data: dict[str, Any], **_: Any) -> None:
        step = data["step_points"]
        if data["minimum_points"] % step:
            raise ValidationError(
                f"has to be a multiple of step_points, which is {step}", "minimum_points"
            )


class _ExpirySchema(_Strict):
    months = _whole_number(1, MONTHS_MAX)
    ends = _one_of("end_of_month")


class _DocumentSchema(_Strict):
    name = _text()
    version = _whole_number(1, VERSION_MAX)
    currency = _currency()
    time_zone = _time_zone()
    earn = _object(_EarnSchema)
    redeem = _object(_RedeemSchema)
    expiry = _object(_ExpirySchema)


# --- errors ---------------------------------------------------------------------------------


def _object_without_repeated_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON lets the last of two equal keys win silently; no rule may vanish like that."""
    keys = [key for key, _ in pairs]
    repeated = [key for index, key in enumerate(keys) if key in keys[:index]]
    if repeated:
        raise ProgrammeError({repeated[0]: "is there twice in one JSON object; remove one"})
    return dict(pairs)


def _by_path(messages: dict[Any, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """marshmallow's nested messages as (path, words), such as "earn.excluded_categories[2]"."""
    for key, inner in messages.items():
        if key == "_schema":
            inner_path = path or "document"
        elif path == MULTIPLIERS_PATH:  # {category: {"key": […], "value": […]}}
            yield f'{path}["{key}"]', "; ".join(words for part in inner.values() for words in part)
            continue
        elif isinstance(key, int):
            inner_path = f"{path}[{key}]"
        else:
            inner_path = f"{path}.{key}" if path else str(key)
        if isinstance(inner, dict):
            yield from _by_path(inner, inner_path)
        else:
            yield inner_path, "; ".join(inner)

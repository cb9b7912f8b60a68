"""A programme document: JSON that a retailer can read, checked to the last field. docs/programme.md
describes every key.

Every error names the path of its field and what to do about it; errors of form are told all at
once, those between fields as soon as the form is right.
"""

import dataclasses
import hashlib
import itertools
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from marshmallow import Schema, ValidationError, fields, validates_schema

from services.loyalty.domain.programme import Clawback, Ends, Programme, Tier, TierPeriod
from services.loyalty.programmes.fields import (
    a_list,
    an_object,
    currency_code,
    messages,
    one_of,
    one_of_values,
    optional_object,
    text,
    whole_number,
    zone_name,
)

# A key that an older document does not have says what the rules were before there was the key.
DEFAULTS: dict[str, Any] = {field.name: field.default for field in dataclasses.fields(Programme)}

NUMBER_MAX = 1_000_000_000  # of points and of minor units
PERCENT_MAX = 1_000  # the ten-fold rate
MONTHS_MAX = 1_200
VERSION_MAX = 2_147_483_647
PENDING_DAYS_MAX = 90
DAYS_MAX = 366
HOURS_MAX = 24 * DAYS_MAX
RESERVATION_S_MAX = 86_400
ANNOUNCEMENTS_MAX = 5
LEVELS_MAX = 10
SHORTEST_MONTH_DAYS = 28

SAME_BUSINESS_DATE = "same_business_date"

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
        loaded = DocumentSchema().load(document)
    except ValidationError as error:
        raise ProgrammeError(dict(_by_path(error.messages_dict))) from None
    earn, redeem, expiry = loaded["earn"], loaded["redeem"], loaded["expiry"]
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
        expiry_months=expiry["months"],
        expiry_ends=Ends(expiry["ends"]),
        announce_days=tuple(expiry["announce_days"]),
        return_grace_days=expiry["return_grace_days"],
        pending_days=earn["pending_days"],
        reservation_s=redeem["reservation_s"],
        void_hours=loaded["void"]["hours"],
        clawback=Clawback(loaded["return_"]["clawback"]),
        adjust_limit_points=loaded["adjust"]["second_person_above_points"],
        **_tiers(loaded.get("tiers")),
    )


def _tiers(tiers: Mapping[str, Any] | None) -> dict[str, Any]:
    if tiers is None:
        return {}
    return {
        "tiers": tuple([Tier(**level) for level in tiers["levels"]]),
        "tier_period": TierPeriod(tiers["period"]),
        "tier_grace_days": tiers["grace_days"],
    }


def document_hash(document: Mapping[str, object]) -> str:
    """SHA-256 in hex over the canonical JSON of `document`: sorted keys, no spaces, ASCII.

    Spacing and the order of keys do not count, every value does; so the journal can name the
    rules that it decided by.
    """
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


# --- the document ---------------------------------------------------------------------------


class _Strict(Schema):
    error_messages = {  # noqa: RUF012 (marshmallow merges the class attribute)
        "unknown": "is no key of a programme document; remove it or mend its spelling",
        "type": "has to be a JSON object, in braces",
    }


class _EarnSchema(_Strict):
    minor_per_point = whole_number(1, NUMBER_MAX, ", the minor units of spend for one point")
    rated = one_of("net_of_points", "gross")
    excluded_categories = a_list(text(), "categories; it may be empty")
    category_multipliers_percent = fields.Dict(
        keys=text(),
        values=whole_number(
            1,
            PERCENT_MAX,
            ", 100 being the single rate; what earns nothing belongs into excluded_categories",
        ),
        required=True,
        error_messages=messages("a JSON object of categories and percents; it may be empty"),
    )
    pending_days = whole_number(
        0,
        PENDING_DAYS_MAX,
        ", the days from earning to spending",
        default=DEFAULTS["pending_days"],
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
    points = whole_number(1, NUMBER_MAX, ", the points that pay `minor` minor units")
    minor = whole_number(1, NUMBER_MAX, ", the minor units that `points` points pay")
    minimum_points = whole_number(1, NUMBER_MAX)
    step_points = whole_number(1, NUMBER_MAX)
    share_of_basket_percent = whole_number(0, 100)
    reservation_s = whole_number(
        1,
        RESERVATION_S_MAX,
        ", the seconds after which a reservation ends",
        default=DEFAULTS["reservation_s"],
    )

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
    months = whole_number(1, MONTHS_MAX)
    ends = one_of_values(Ends)
    announce_days = a_list(
        whole_number(1, DAYS_MAX, ", the days before the end"),
        "days; it may be empty",
        default=list(DEFAULTS["announce_days"]),
    )
    return_grace_days = whole_number(0, DAYS_MAX, default=DEFAULTS["return_grace_days"])

    @validates_schema
    def _announcements_are_few_and_come_closer(self, data: dict[str, Any], **_: Any) -> None:
        days = data["announce_days"]
        if len(days) > ANNOUNCEMENTS_MAX:
            raise ValidationError(f"has more than {ANNOUNCEMENTS_MAX} days", "announce_days")
        if days != sorted(set(days), reverse=True):
            raise ValidationError(
                "has to go from many days to few, each once, such as [30, 7]", "announce_days"
            )


class _VoidSchema(_Strict):
    until = one_of(SAME_BUSINESS_DATE, default=None)
    hours = whole_number(1, HOURS_MAX, default=None)

    @validates_schema
    def _there_is_one_limit(self, data: dict[str, Any], **_: Any) -> None:
        if data["until"] and data["hours"]:
            raise ValidationError('has "until" and "hours"; remove one of the two')


class _ReturnSchema(_Strict):
    clawback = one_of_values(Clawback, default=DEFAULTS["clawback"])


class _AdjustSchema(_Strict):
    second_person_above_points = whole_number(
        0, NUMBER_MAX, default=DEFAULTS["adjust_limit_points"]
    )


class _LevelSchema(_Strict):
    name = text()
    from_points = whole_number(0, NUMBER_MAX, ", the qualifying points that reach the level")
    earn_percent = whole_number(1, PERCENT_MAX, ", 100 being the single rate")


class _TiersSchema(_Strict):
    period = one_of_values(TierPeriod, default=DEFAULTS["tier_period"])
    grace_days = whole_number(0, DAYS_MAX, default=DEFAULTS["tier_grace_days"])
    levels = a_list(fields.Nested(_LevelSchema), "levels, the first of them everybody's")

    @validates_schema
    def _levels_are_steps(self, data: dict[str, Any], **_: Any) -> None:
        levels = data["levels"]
        if not 1 <= len(levels) <= LEVELS_MAX:
            raise ValidationError(f"has to have 1 to {LEVELS_MAX} levels", "levels")
        errors: dict[int, dict[str, list[str]]] = {}
        if levels[0]["from_points"] != 0:
            errors[0] = {"from_points": ["has to be 0: the first level is everybody's"]}
        for index, (below, level) in enumerate(itertools.pairwise(levels), start=1):
            if level["from_points"] <= below["from_points"]:
                errors[index] = {
                    "from_points": [
                        f"has to be above the {below['from_points']} of the level before"
                    ]
                }
            elif level["name"] in [other["name"] for other in levels[:index]]:
                errors[index] = {"name": [f'names "{level["name"]}" again; choose another']}
        if errors:
            raise ValidationError({"levels": errors})


class DocumentSchema(_Strict):
    name = text()
    version = whole_number(1, VERSION_MAX)
    currency = currency_code()
    time_zone = zone_name()
    earn = an_object(_EarnSchema)
    redeem = an_object(_RedeemSchema)
    expiry = an_object(_ExpirySchema)
    void = optional_object(_VoidSchema)
    return_ = optional_object(_ReturnSchema, key="return")
    adjust = optional_object(_AdjustSchema)
    tiers = fields.Nested(_TiersSchema, error_messages=messages("a JSON object, in braces"))

    @validates_schema
    def _points_can_be_spent_before_they_expire(self, data: dict[str, Any], **_: Any) -> None:
        most = SHORTEST_MONTH_DAYS * data["expiry"]["months"]
        if data["earn"]["pending_days"] > most:
            raise ValidationError(
                {
                    "earn": {
                        "pending_days": [
                            f"has to be {most} or less, or points of expiry.months"
                            f" {data['expiry']['months']} expire before they can be spent"
                        ]
                    }
                }
            )


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

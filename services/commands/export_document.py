"""A member's export as one JSON document, and the same as CSV files."""

import csv
import io
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from pathlib import Path
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from bonpunkt.loyalty.v1 import identity_pb2 as pb
from bonpunkt.loyalty.v1.feed_pb2 import JournalEntry
from bonpunkt.loyalty.v1.member_pb2 import GetMemberResponse
from services.loyalty.domain.basket import LINE_FIELDS

FORMAT = "bonpunkt.member-export.1"
# How a text begins that a spreadsheet would run; numbers, also of telephones, are harmless.
_RISKY = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[+-]?[0-9]+")


def document_of(messages: Sequence[pb.ExportMemberResponse]) -> dict[str, Any]:
    """From the messages of one export, in order."""
    head = messages[0].member
    account = head.account
    known = head.HasField("identity")
    erased = known and head.identity.HasField("erased")
    return {
        "format": FORMAT,
        "exported_at": _time(head.exported_at),
        "member_id": account.member_id,
        "status": account.state.status,
        "erased": _tombstone(head.identity.erased) if erased else None,
        "person": _person(head.identity) if known and not erased else None,
        "consents": [_consent(c) for c in head.identity.consents] if known else [],
        "cards": list(account.cards),
        **_account(account),
        "entries": [_entry(e) for message in messages for e in message.entries],
    }


def json_text(document: Mapping[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2)


def csv_files(document: Mapping[str, Any]) -> dict[str, str]:
    """One file for each kind of record, by name; an empty one where there are no records."""
    person = document["person"] or {}
    summary = {
        name: document[name] for name in ("format", "exported_at", "member_id", "status")
    } | {f"erased_{name}": value for name, value in (document["erased"] or {}).items()}
    entries = document["entries"]
    tables: dict[str, list[dict[str, Any]]] = {
        "member": [{"field": name, "value": value} for name, value in summary.items()],
        "person": [{"field": name, "value": value} for name, value in person.items()],
        "consents": document["consents"],
        "cards": [{"card": card} for card in document["cards"]],
        "balances": [
            {"account": name, "value": value} for name, value in document["balances"].items()
        ],
        "lots": document["lots"],
        "pending_lots": document["pending_lots"],
        "reservations": document["reservations"],
        "entries": [_flat_entry(entry) for entry in entries],
        "movements": [row for entry in entries for row in _movements(entry)],
        "baskets": [row for entry in entries for row in _line_items(entry)],
    }
    return {f"{name}.csv": _table(rows) for name, rows in tables.items()}


def written(file: Path, text: str) -> Path:
    """Writes a file that only its owner can read."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as output:
        os.fchmod(descriptor, 0o600)
        output.write(text)
    return file


def _account(account: GetMemberResponse) -> dict[str, Any]:
    state = account.state
    return {
        "enrolled_at": _time(account.enrolled_at),
        "balances": {
            "points": state.points,
            "available": state.available,
            "pending": state.pending,
            "receivable": state.receivable,
            "held": state.held,
            "tier": state.tier,
        },
        "lots": [{"expires_on": lot.expires_on, "points": lot.points} for lot in account.lots],
        "pending_lots": [
            {
                "activates_on": lot.activates_on,
                "expires_on": lot.expires_on,
                "points": lot.points,
            }
            for lot in account.pending_lots
        ],
        "reservations": [
            {
                "reservation_id": held.reservation_id,
                "basket_id": held.basket_id,
                "points_held": held.points_held,
                "points_promised": held.points_promised,
                "expires_at": _time(held.expires_at),
            }
            for held in account.reservations
        ],
    }


def _person(identity: pb.GetIdentityResponse) -> dict[str, Any]:
    profile = identity.profile
    return {
        "given_name": profile.given_name,
        "surname": profile.surname,
        "email": profile.email,
        "phone": profile.phone,
        "birthday": profile.birthday,
        "language": profile.language,
    }


def _consent(consent: pb.Consent) -> dict[str, Any]:
    return {
        "purpose": consent.purpose,
        "given": consent.given,
        "text_version": consent.text_version,
        "channel": consent.channel,
        "at": _time(consent.at),
        "recorded_at": _time(consent.recorded_at),
        "consent_id": consent.consent_id,
    }


def _tombstone(tombstone: pb.Tombstone) -> dict[str, Any]:
    ground = pb.ErasureGround.Name(tombstone.ground).removeprefix("ERASURE_GROUND_").lower()
    return {
        "at": _time(tombstone.erased_at),
        "ground": ground,
        "actor": tombstone.actor,
        "operation_id": tombstone.operation_id,
    }


def _entry(exported: pb.ExportedEntry) -> dict[str, Any]:
    entry: JournalEntry = exported.entry
    basket = exported.basket
    return {
        "bucket": entry.bucket,
        "sequence": entry.sequence,
        "operation_id": entry.operation_id,
        "kind": entry.kind,
        "accepted": entry.accepted,
        "member_id": entry.member_id,
        "effective_at": _time(entry.effective_at),
        "occurred_at": _time(entry.occurred_at) if entry.HasField("occurred_at") else None,
        "store_id": entry.store_id,
        "terminal_id": entry.terminal_id,
        "actor": entry.actor,
        "points_after": entry.state.points,
        "decision": json.loads(exported.decision_json),
        "movements": json.loads(exported.movements_json),
        "facts": json.loads(exported.facts_json),
        "basket": {
            "basket_id": basket.basket_id,
            "receipt_number": basket.receipt_number,
            "business_date": basket.business_date,
            "total_minor": basket.total_minor,
            "line_items": [
                dict(zip(LINE_FIELDS, item, strict=False))
                for item in json.loads(basket.line_items_json)
            ],
        }
        if exported.HasField("basket")
        else None,
    }


def _flat_entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Without what has tables of its own; what is left of JSON stays JSON."""
    flat = {name: value for name, value in entry.items() if name not in ("basket", "movements")}
    return flat | {name: json.dumps(flat[name]) for name in ("decision", "facts")}


def _movements(entry: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    place = {"bucket": entry["bucket"], "sequence": entry["sequence"]}
    for source, target, points in entry["movements"].get("transfers", []):
        yield {**place, "from_account": source, "to_account": target, "points": points}


def _line_items(entry: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    basket = entry["basket"]
    if basket is None:
        return
    place = {"bucket": entry["bucket"], "sequence": entry["sequence"]}
    receipt = {name: basket[name] for name in ("basket_id", "receipt_number", "business_date")}
    for item in basket["line_items"]:
        yield {**place, **receipt, **item}


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    """RFC 4180 with a line of names; empty if there are no rows."""
    if not rows:
        return ""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows([{name: _cell(value) for name, value in row.items()} for row in rows])
    return text.getvalue()


def _cell(value: Any) -> Any:
    """A text that a spreadsheet would run as a formula gets an apostrophe in front."""
    if isinstance(value, str) and value.startswith(_RISKY) and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return value


def _time(moment: Timestamp) -> str:
    return moment.ToDatetime(UTC).isoformat()

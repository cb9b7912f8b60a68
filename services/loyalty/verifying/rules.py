"""The programme's versions and the facts of the installation."""

import json
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.loyalty import schema
from services.loyalty.keys import BUCKET_COUNT
from services.loyalty.office.schema import audit, audit_base
from services.loyalty.programmes import document_hash, load_programme
from services.loyalty.verifying.report import Report
from services.loyalty.verifying.rows import Told


class Rules:
    """Which versions of the programme the journal names: the earliest row of each."""

    def __init__(self) -> None:
        self._named: dict[int, tuple[int, str]] = {}

    def named_by(self, told: Told) -> None:
        version = told.facts.get("programme_version")
        if version is None:
            return
        at_us = told.row["effective_at_us"]
        if version not in self._named or at_us < self._named[version][0]:
            self._named[version] = (at_us, told.at)

    async def compare(self, snapshot: AsyncConnection, report: Report) -> None:
        table = schema.programme
        rows = await snapshot.execute(select(table).order_by(table.c.effective_from_us))
        known: set[int] = set()
        for number, row in enumerate(rows):
            at = f"programme version {row.version}"
            known.add(row.version)
            try:
                problem = _problem_of(row)
                report.check("rules", not problem, "{}: {}", at, problem)
                from_us = row.effective_from_us
                first = (number == 0) == (from_us == 0) and from_us >= 0
                report.check(
                    "rules", first, "{} is in force from {}: the first is from 0", at, from_us
                )
                at_us, named_at = self._named.get(row.version, (from_us, ""))
                early = at_us < from_us
                report.check("rules", not early, "{} is named before, by {}", at, named_at)
            except Exception as error:
                report.check("rules", False, "{} cannot be read: {!r}", at, error)
        for version in self._named.keys() - known:
            report.check(
                "rules",
                False,
                "programme version {} is missing, {} names it",
                version,
                self._named[version][1],
            )


def _problem_of(row: Row[Any]) -> str:
    """What is wrong with one version; empty if nothing is."""
    document = json.loads(row.document)
    if json.dumps(document, ensure_ascii=False) != row.document:
        return "its document is not as it was written"
    if bytes.fromhex(document_hash(document)) != row.document_hash:
        return "its document does not hash to document_hash"
    if load_programme(document).version != row.version:
        return "its document says another version"
    return ""


async def check_installation(snapshot: AsyncConnection, buckets: list[int], report: Report) -> None:
    """Every bucket that was ever made is there, and no row lies outside of them."""
    rows = await snapshot.execute(select(schema.installation))
    facts: dict[str, str] = {row.name: row.value for row in rows}
    count = facts.pop("bucket_count", None)
    told = "installation bucket_count is {}, {} buckets are there"
    report.check("I8", count == str(BUCKET_COUNT), told, count, len(buckets))
    for bucket in sorted({*buckets} ^ {*range(BUCKET_COUNT)}, key=str):
        there = "is none of them" if bucket in buckets else "is missing"
        report.check("I8", False, "bucket {} {}", bucket, there)
    epoch = facts.pop("epoch", None)
    right = epoch is not None and epoch.isascii() and epoch.isdigit() and epoch[0] != "0"
    told_by_audit = await _epoch_of_audit(snapshot)
    right = right and (told_by_audit is None or epoch == told_by_audit)
    told = "installation epoch is {}, the audit says {}"
    report.check("I8", right, told, epoch, told_by_audit)
    for name in facts:
        report.check("I8", False, "installation {} is nothing that is known", name)


async def _epoch_of_audit(snapshot: AsyncConnection) -> str | None:
    """What the last restore raised it to, 1 without any; None where that may be past retention."""
    restores = select(audit.c.subject).where(audit.c.action == "installation.restore")
    subject = await snapshot.scalar(restores.order_by(audit.c.sequence.desc()).limit(1))
    if subject is not None:
        return str(subject).removeprefix("epoch ")
    forgotten = await snapshot.scalar(select(audit_base.c.sequence))
    return "1" if forgotten is None else None

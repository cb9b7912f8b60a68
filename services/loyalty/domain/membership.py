"""Opening members and blocking them."""

from services.loyalty.domain.decision import (
    BlockedSet,
    Enrol,
    Enrolled,
    Entry,
    Kind,
    Refusal,
    Refused,
    SetBlocked,
    summary,
)
from services.loyalty.domain.member import Member, Status

FIRST_TIER = "base"


def enrol(command: Enrol, *, now_us: int) -> Entry:
    """A new member with a first card and no points. That the card and the id are free is the
    writer's to know.
    """
    member = Member(
        member_id=command.member_id,
        version=1,
        status=Status.ACTIVE,
        language=command.language,
        tier=FIRST_TIER,
        points=0,
        pending=0,
        receivable=0,
        held=0,
        lots=(),
        cards=(command.card,),
        enrolled_at_us=now_us,
        last_sequence=0,
    )
    return Entry(
        operation_id=command.operation_id,
        kind=Kind.ENROL,
        accepted=True,
        decision=Enrolled(member=summary(member)),
        transfers=(),
        lot_moves=(),
        facts={"card": command.card},
        member=member,
    )


def set_blocked(member: Member | None, command: SetBlocked) -> Entry | Refused:
    """Blocks a member, or ends it. Setting what is set already is accepted and journalled: it was
    ordered.
    """
    if member is None:
        return Refused(Refusal.MEMBER_UNKNOWN, "member_id", "there is no member with this id")
    after = member.changed(status=Status.BLOCKED if command.blocked else Status.ACTIVE)
    return Entry(
        operation_id=command.operation_id,
        kind=Kind.BLOCK if command.blocked else Kind.UNBLOCK,
        accepted=True,
        decision=BlockedSet(member=summary(after), blocked=command.blocked, reason=command.reason),
        transfers=(),
        lot_moves=(),
        facts={"reason": command.reason},
        member=after,
    )

"""What answers say about points, added up: a member's own account beside the ledger's."""

from bonpunkt.loyalty.v1.feed_pb2 import MemberState
from bonpunkt.till.v1 import till_pb2 as pb


def moved(decision: pb.Decision) -> int:
    """By how many points the decision changed what its member has in all."""
    match decision.WhichOneof("result"):
        case "captured":
            return decision.captured.points_earned - decision.captured.points_redeemed
        case "voided":
            voided = decision.voided
            return voided.points_restored - voided.points_taken_back - voided.points_owed
        case "returned":
            returned = decision.returned
            return returned.points_restored - returned.points_taken_back - returned.points_owed
        case _:
            return 0


def whole(state: MemberState) -> int:
    """What a member has in all: points to spend, those that wait, and (negative) what is owed."""
    return state.points + state.pending + state.receivable


def member_of(decision: pb.Decision) -> str:
    """Whom the decision was about; empty if it names nobody, as a refusal does."""
    result = getattr(decision, decision.WhichOneof("result") or "refused")
    return result.member.member_id if hasattr(result, "member") else ""


def name_of(decision: pb.Decision) -> str:
    """What was decided, in a word: the result, or the reason of a refusal."""
    if decision.HasField("refused"):
        return pb.Reason.Name(decision.refused.reason)
    return decision.WhichOneof("result") or ""

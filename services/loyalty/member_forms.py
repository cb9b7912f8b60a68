"""The forms of what staff, command line and imports send about members.

Each function tells the field and the remedy of the first thing wrong, or None. An import asks the
same functions before it sends anything.
"""

import re

from bonpunkt.loyalty.v1 import member_pb2 as pb
from services.loyalty.wire_forms import CARD_MAX, OPERATION_ID_FORM, UUID_FORM, is_language

REASON_MIN, REASON_MAX = 3, 200
OPENING_POINTS_MAX = 10**9
ADJUST_POINTS_MAX = 10**9
REASON_CODE_FORM = re.compile(r"[a-z0-9][a-z0-9_.-]{0,31}")

Problem = str | None


def enrolment_problem(enrolment: pb.Enrolment) -> Problem:
    if not OPERATION_ID_FORM.fullmatch(enrolment.operation_id):
        return "operation_id: send a UUID in its canonical text form, in lower case"
    if not OPERATION_ID_FORM.fullmatch(enrolment.member_id):  # version 8: who enrols at a till
        return "member_id: send a UUID, not of version 8, in its canonical text form, in lower case"
    if not is_card(enrolment.card):
        return f"card: send 1 to {CARD_MAX} printable characters"
    if not is_language(enrolment.language):
        return 'language: send a BCP 47 tag such as "de"'
    if not 0 <= enrolment.opening_points <= OPENING_POINTS_MAX:
        return f"opening_points: send 0 to {OPENING_POINTS_MAX} points"
    return None


def block_problem(request: pb.BlockMemberRequest | pb.UnblockMemberRequest) -> Problem:
    return _ids_problem(request, "member_id") or _reason_problem(request.reason)


def adjustment_problem(request: pb.AdjustPointsRequest) -> Problem:
    problem = _ids_problem(request, "member_id")
    if problem is not None:
        return problem
    if not 1 <= abs(request.points) <= ADJUST_POINTS_MAX:
        return f"points: give or take 1 to {ADJUST_POINTS_MAX} points"
    if not REASON_CODE_FORM.fullmatch(request.reason_code):
        return 'reason_code: 1 to 32 characters of a-z 0-9 . _ -, such as "goodwill"'
    return _reason_problem(request.reason)


def merge_problem(request: pb.MergeMembersRequest) -> Problem:
    problem = _ids_problem(request, "survivor_id", "merged_id")
    if problem is not None:
        return problem
    if request.survivor_id == request.merged_id:
        return "merged_id: name two different members"
    return _reason_problem(request.reason)


def cards_problem(request: pb.ChangeCardsRequest) -> Problem:
    problem = _ids_problem(request, "member_id")
    if problem is not None:
        return problem
    if not request.lost_card and not request.new_card:
        return "new_card: name the lost card, the new one, or both"
    for name, card in (("lost_card", request.lost_card), ("new_card", request.new_card)):
        if card and not is_card(card):
            return f"{name}: send 1 to {CARD_MAX} printable characters, or leave it empty"
    if request.lost_card == request.new_card:
        return "new_card: a lost card cannot be the new one; give out another"
    return _reason_problem(request.reason)


def is_card(card: str) -> bool:
    return 1 <= len(card) <= CARD_MAX and card.isprintable()


def _ids_problem(request: object, *members: str) -> Problem:
    for name, form in (("operation_id", OPERATION_ID_FORM), *((m, UUID_FORM) for m in members)):
        if not form.fullmatch(getattr(request, name)):
            return f"{name}: send a UUID in its canonical text form"
    return None


def _reason_problem(reason: str) -> Problem:
    reason = reason.strip()
    if REASON_MIN <= len(reason) <= REASON_MAX and reason.isprintable():
        return None
    return f"reason: say why, in {REASON_MIN} to {REASON_MAX} printable characters"

import pytest

from bonpunkt.till.v1 import till_pb2 as pb
from services.pos_gateway import form
from tests.pos_gateway.peer import sent

WELL_FORMED = "0192f3c4-0000-7000-8000-0000000000ff"
GOOD = sent(pb.Operation(id=WELL_FORMED, status=pb.Status()))


@pytest.mark.parametrize("count", [1, 256])
def test_a_message_carries_1_to_256_operations(count: int) -> None:
    assert form.wrong_count([GOOD] * count) is None


@pytest.mark.parametrize("count", [0, 257])
def test_a_wrong_count_is_named_with_field_and_bound(count: int) -> None:
    words = form.wrong_count([GOOD] * count)

    assert words == f"operations: 1 to 256 a message, got {count}"


def test_a_well_formed_operation_is_not_refused() -> None:
    assert form.refusal(GOOD) is None


@pytest.mark.parametrize(
    "given",
    [
        "",
        "7",
        WELL_FORMED[:-1],
        WELL_FORMED + "0",
        WELL_FORMED.upper(),
        WELL_FORMED.replace("-", ""),
        WELL_FORMED.replace("-", "_"),
        WELL_FORMED[:7] + "-" + WELL_FORMED[7:8] + WELL_FORMED[9:],  # a dash one place too early
        WELL_FORMED[:-1] + "-",
        WELL_FORMED[:-1] + "g",
        WELL_FORMED[:-1] + "é",
        f"{{{WELL_FORMED}}}",
        WELL_FORMED + "\n",
        "０192f3c4-0000-7000-8000-0000000000ff",
    ],
)
def test_an_id_is_a_uuid_in_canonical_text_form(given: str) -> None:
    """Also the refusal carries the id as it was given, so that the till finds its operation."""
    refusal = form.refusal(sent(pb.Operation(id=given, status=pb.Status())))

    assert refusal is not None
    decision = pb.Decision.FromString(refusal)
    assert decision.operation_id == given
    assert decision.refused.reason == pb.REASON_MALFORMED_ID
    assert decision.refused.field == "id"
    assert decision.refused.remedy


def test_an_operation_without_a_kind_is_not_the_gateways_to_refuse() -> None:
    assert form.refusal(sent(pb.Operation(id=WELL_FORMED))) is None

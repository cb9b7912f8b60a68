"""docs/till.md leaves nothing out that a till can send or hear."""

import re
from pathlib import Path

import pytest

from bonpunkt.till.v1 import till_pb2 as pb

PAGE = (Path(__file__).parents[2] / "docs" / "till.md").read_text(encoding="utf-8")
EXPLAINED = set(re.findall(r"`([A-Za-z_]+)`", PAGE))
TABLE_ROWS = [line for line in PAGE.splitlines() if line.startswith("| `")]
OPERATIONS = [
    field.message_type.name for field in pb.Operation.DESCRIPTOR.oneofs_by_name["kind"].fields
]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_is_explained(operation: str) -> None:
    assert operation in EXPLAINED


@pytest.mark.parametrize("reason", sorted(set(pb.Reason.keys()) - {"REASON_UNSPECIFIED"}))
def test_every_reason_has_a_remedy(reason: str) -> None:
    (row,) = [
        line for line in PAGE.splitlines() if line.startswith("| `") and f"`{reason}`" in line
    ]

    assert row.split("|")[2].strip()


@pytest.mark.parametrize("cause", sorted(set(pb.Undecided.Cause.keys()) - {"CAUSE_UNSPECIFIED"}))
def test_every_cause_of_no_decision_is_explained(cause: str) -> None:
    assert cause in EXPLAINED


@pytest.mark.parametrize(
    "operation", ["reserve", "release", "capture", "void_receipt", "return_items", "enrol"]
)
def test_every_operation_that_books_has_an_example_that_is_run(operation: str) -> None:
    examples = re.findall(r"```python run\n(.*?)```", PAGE, re.DOTALL)

    assert any(f"operations.{operation}(" in example for example in examples)

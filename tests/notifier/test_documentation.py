"""What docs/webhooks.md tells receivers is what the code does."""

import re
from pathlib import Path

import orjson

from services.notifier.events import TYPES, EventSchema

PAGE = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text(encoding="utf-8")
GOLDEN = Path(__file__).parent / "golden" / "member.points_changed.json"


def test_the_example_is_a_body_that_is_really_sent() -> None:
    found = re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)

    assert found is not None
    assert orjson.dumps(orjson.loads(found[1])) == GOLDEN.read_bytes()


def test_every_type_of_event_and_every_field_is_explained() -> None:
    explained = set(re.findall(r"`([a-z_.]+)`", PAGE))
    data = EventSchema().fields["data"].schema.fields  # type: ignore[attr-defined]

    assert set(TYPES) <= explained
    assert set(data) <= explained

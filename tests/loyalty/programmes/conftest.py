"""The demo's document, to be spoilt."""

from typing import Any

import pytest

from services.loyalty.programmes import DEMO, read_document


@pytest.fixture
def document() -> dict[str, Any]:
    return read_document(DEMO)

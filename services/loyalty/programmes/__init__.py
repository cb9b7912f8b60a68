"""Programme documents: the rules as a retailer writes them, read into the domain's `Programme`."""

from pathlib import Path

from services.loyalty.programmes.document import (
    ProgrammeError,
    document_hash,
    load_programme,
    read_document,
    read_programme,
)

DEMO = Path(__file__).with_name("demo.json")

__all__ = [
    "DEMO",
    "ProgrammeError",
    "document_hash",
    "load_programme",
    "read_document",
    "read_programme",
]

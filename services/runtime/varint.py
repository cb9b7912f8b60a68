"""Whole numbers as protobuf writes them: seven bits a byte, the lowest first."""

from typing import Final

# Seven bits of a number: its highest seven, and those after which more follow.
LAST: Final = [bytes([bits]) for bits in range(0x80)]
MORE: Final = [bytes([0x80 | bits]) for bits in range(0x80)]


def varint(value: int) -> bytes:
    """A number of 64 bits; below zero it is 2⁶⁴ more."""
    if 0 <= value < 0x80:
        return LAST[value]
    if value < 0:
        value += 1 << 64
    return MORE[value & 0x7F] + varint(value >> 7)

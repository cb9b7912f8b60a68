"""The parts of `bonpunkt verify`: services/loyalty/verify.py puts them together."""

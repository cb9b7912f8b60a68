"""Tests mirror `services/` file by file. What is measured instead: docs/performance.md."""

"""Throughput and latency, measured with real processes. docs/performance.md tells how and what."""

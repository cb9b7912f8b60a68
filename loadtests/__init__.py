"""Throughput and latency, measured with real processes. docs/performance.md tells how and what."""

import os

import services  # noqa: F401  settles how gRPC waits for sockets, before it is imported

# The bench starts processes while gRPC is at work. Its own handlers for a fork can abort the child
# before it becomes the program that was asked for.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")

"""The proofs; the folders mirror services/."""

import os

# Tests start processes while gRPC is at work. Its own handlers for a fork can abort the child
# before it becomes the program that was asked for.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")

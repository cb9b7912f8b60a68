"""Bonpunkt's services, the command line that starts and asks them, and what has to be settled
before any of it imports gRPC.
"""

import os

import services.runtime.compiled  # noqa: F401  before anything that it would find

# gRPC's core otherwise writes lines of its own (each failed handshake) between ours, which are
# JSON. It looks only once, when it is loaded.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")

# gRPC's newer way of waiting for sockets hands each message from thread to thread. In its older
# way the thread that waits for answers reads the sockets itself, which takes a third less processor
# time a message (decision 0030). Whoever sets the variable decides otherwise.
os.environ.setdefault("GRPC_EXPERIMENTS", "-event_engine_client,-event_engine_listener")

"""Process plumbing shared by all services: settings, logs, gRPC servers and channels, shutdown.

Nothing here knows what a point is.
"""

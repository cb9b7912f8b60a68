"""The gateway: the tills' connections, their identity and limits, and the one stream to loyalty."""

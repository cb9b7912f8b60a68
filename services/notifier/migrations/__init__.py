"""The notifier's tables, version by version."""

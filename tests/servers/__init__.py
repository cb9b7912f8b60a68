"""Real servers for tests and benchmarks: private, on free ports, gone at the end."""

"""The outside world: processes, network, clients, files."""

"""Servers to send traffic to, and the peers that send it."""

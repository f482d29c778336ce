"""Paired benchmarks against peers: `make bench`, or `python -m bench --list`."""

"""From wire bytes to counts, one module a protocol; pure."""

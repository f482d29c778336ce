"""What the numbers mean: samples, windows, metrics and injections; no I/O and no clock."""

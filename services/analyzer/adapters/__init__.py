"""The outside world: metric sources and the HTTP probe."""

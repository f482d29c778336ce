"""Scenario files: what the versions really do, what the APM says, and what is expected."""

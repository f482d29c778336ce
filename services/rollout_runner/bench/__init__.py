"""The bench: every program that a run needs, on this machine, wired together."""

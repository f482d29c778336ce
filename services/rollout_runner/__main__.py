"""`python -m rollout_runner`."""

from __future__ import annotations

from rollout_runner.cli import main

if __name__ == "__main__":
    main()

"""`python -m voteapp`."""

from __future__ import annotations

from voteapp.cli import main

if __name__ == "__main__":
    main()

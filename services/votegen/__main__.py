"""`python -m votegen`."""

from __future__ import annotations

from votegen.cli import main

if __name__ == "__main__":
    main()

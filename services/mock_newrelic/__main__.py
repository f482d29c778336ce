"""`python -m mock_newrelic` is the command `mock-newrelic`."""

from __future__ import annotations

from mock_newrelic.cli import main

if __name__ == "__main__":
    main()

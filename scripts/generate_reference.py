"""Write the generated pages of docs/reference from the sources they describe.

Without arguments it writes them; with --check it only says which are out of date (exit code 1).
"""

from __future__ import annotations

import sys
from pathlib import Path

from reference import (
    audit_faults,
    cli,
    events,
    lint_rules,
    metrics,
    openapi,
    problems,
    rollout_fields,
    scenarios,
    settings,
)

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "reference"


def pages() -> dict[str, str]:
    """Return the text of every generated file, by its path below docs/reference."""
    return {
        "cli.md": cli.render(),
        "audit-faults.md": audit_faults.render(),
        "settings.md": settings.render(),
        "metrics.md": metrics.render(),
        "problems.md": problems.render(),
        "scenarios.md": scenarios.render(),
        "event-log.md": events.render(),
        "lint-rules.md": lint_rules.render(),
        "rollout-fields.md": rollout_fields.render(),
        **{f"openapi/{name}": text for name, text in openapi.documents().items()},
    }


def outdated(texts: dict[str, str]) -> list[str]:
    """Return the files that are missing or hold something else."""
    return [
        name
        for name, text in texts.items()
        if not (FOLDER / name).is_file() or (FOLDER / name).read_text(encoding="utf-8") != text
    ]


def main(arguments: list[str]) -> int:
    """Write or check; return the exit code."""
    texts = pages()
    stale = outdated(texts)
    if arguments == ["--check"]:
        for name in stale:
            print(f"docs/reference/{name} is out of date; run: make docs")
        return 1 if stale else 0
    if arguments:
        print("usage: generate_reference.py [--check]", file=sys.stderr)
        return 2
    for name in stale:
        (FOLDER / name).parent.mkdir(parents=True, exist_ok=True)
        (FOLDER / name).write_text(texts[name], encoding="utf-8")
        print(f"wrote docs/reference/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

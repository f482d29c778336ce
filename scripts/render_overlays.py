"""Render every overlay of deploy/ into deploy/rendered/, or say which are out of date.

The rendered files serve machines that have no kubectl. `--check` writes nothing and fails when a
file differs from its sources, is missing, or belongs to no overlay.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

DEPLOY = Path(__file__).resolve().parent.parent / "deploy"


def rendered(overlay: Path) -> str:
    """Return an overlay as plain YAML."""
    command = ["kubectl", "kustomize", str(overlay)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main(arguments: list[str]) -> int:
    """Return 0 when every rendered file is up to date, which it is after writing."""
    check = "--check" in arguments
    overlays = sorted(each for each in (DEPLOY / "overlays").iterdir() if each.is_dir())
    wrong = {each.name for each in (DEPLOY / "rendered").glob("*.yaml")}
    wrong -= {f"{each.name}.yaml" for each in overlays}
    for overlay in overlays:
        target = DEPLOY / "rendered" / f"{overlay.name}.yaml"
        text = rendered(overlay)
        if not target.is_file() or target.read_text(encoding="utf-8") != text:
            wrong.add(target.name)
            if not check:
                target.write_text(text, encoding="utf-8")
    if check and wrong:
        print(f"deploy/rendered is out of date ({', '.join(sorted(wrong))}); run: make render")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

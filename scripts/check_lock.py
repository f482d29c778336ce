"""Fail when uv.lock does not fit pyproject.toml or requirements.lock does not fit uv.lock.

requirements.lock is the same set of pins for machines that have pip and no uv.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Return 0 when the locks agree, 1 with a hint when they do not."""
    uv = Path(sys.executable).parent / "uv"
    check = subprocess.run([uv, "lock", "--check", "--offline"], cwd=ROOT, capture_output=True, check=False)  # noqa: S603, E501
    if check.returncode:
        print(f"uv.lock does not fit pyproject.toml; run: make lock\n{check.stderr.decode()}")
        return 1
    command = [uv, "export", "--quiet", "--frozen", "--offline", "--extra", "dev"]
    command += ["--no-emit-project", "--no-header"]
    exported = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout  # noqa: S603
    if exported != (ROOT / "requirements.lock").read_bytes():
        print("requirements.lock does not fit uv.lock; run: make lock")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

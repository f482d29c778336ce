"""Fail when uv.lock does not fit pyproject.toml or requirements.lock does not fit uv.lock.

requirements.lock is the same set of pins for machines that have pip and no uv.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def run_uv(command: str, *flags: str) -> subprocess.CompletedProcess[bytes]:
    """Run the uv that is installed beside this Python, without the network."""
    uv = Path(sys.executable).parent / "uv"
    return subprocess.run(
        [uv, command, "--offline", *flags], cwd=ROOT, capture_output=True, check=False
    )


def main() -> int:
    """Return 0 when the locks agree, 1 with a hint when they do not."""
    check = run_uv("lock", "--check")
    if check.returncode:
        print(f"uv.lock does not fit pyproject.toml; run: make lock\n{check.stderr.decode()}")
        return 1
    exported = run_uv(
        "export", "--quiet", "--frozen", "--extra", "dev", "--no-emit-project", "--no-header"
    )
    if exported.stdout != (ROOT / "requirements.lock").read_bytes():
        print("requirements.lock does not fit uv.lock; run: make lock")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

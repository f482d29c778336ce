"""Write the pins of the images: what runs (runtime.txt) and what builds the wheel (build.txt).

Both are cut out of uv.lock, so that an image holds the versions that were tested. `--check` writes
nothing and fails when a file is out of date.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "deploy" / "images"
BACKEND = "hatchling"


def runtime() -> str:
    """Return the pins of what runs, PostgreSQL's client included."""
    uv = Path(sys.executable).parent / "uv"
    flags = "--quiet --frozen --offline --no-dev --extra postgres --no-emit-project --no-header"
    command = [str(uv), "export", *flags.split(), "--no-annotate"]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def build() -> str:
    """Return the pins of the build backend and of all that it needs."""
    lock = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
    packages = {each["name"]: each for each in lock["package"]}
    wanted, waiting = set(), [BACKEND]
    while waiting:
        name = waiting.pop()
        if name in wanted:
            continue
        wanted.add(name)
        waiting += [
            each["name"]
            for each in packages[name].get("dependencies", [])
            if "python_full_version < '3.11'" not in each.get("marker", "")
        ]
    return "".join(_pin(packages[name]) for name in sorted(wanted))


def _pin(package: dict[str, object]) -> str:
    wheels = package["wheels"]
    assert isinstance(wheels, list)  # noqa: S101 - the lock's own form
    hashes = [f"    --hash={each['hash']}" for each in wheels]
    return " \\\n".join([f"{package['name']}=={package['version']}", *hashes]) + "\n"


def main(arguments: list[str]) -> int:
    """Return 0 when both files are up to date, which they are after writing."""
    stale = []
    for name, text in {"runtime.txt": runtime(), "build.txt": build()}.items():
        path = IMAGES / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if "--check" not in arguments:
                path.write_text(text, encoding="utf-8")
    if stale and "--check" in arguments:
        print(f"deploy/images does not fit uv.lock ({', '.join(stale)}); run: make lock")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The repository speaks of the product alone."""

from __future__ import annotations

import re

import pytest

from docs_project import ROOT, files

# A folder of somebody's machine, at the beginning of an absolute path.
_MACHINE_PATH = re.compile(r"(?<![\w.:/)}*-])/(?:work|home|root|Users|mnt|workspace)/\w")
# Where packages come from is the business of the machine; uv.lock records the public index.
_REGISTRY = re.compile(
    r"\b(?:pypi|test\.pypi|files\.pythonhosted|registry\.npmjs|proxy\.golang)\.(?:org|python|com)\b"
    r"|\b(?:extra-)?index-url\b|\b(?:PIP|UV)_(?:EXTRA_)?INDEX\w*|\b(?:artifactory|nexus)\.",
    re.IGNORECASE,
)


def _lines(pattern: re.Pattern[str]) -> list[str]:
    found = []
    for path in files():
        name = str(path.relative_to(ROOT))
        if name in {"uv.lock", "tests/docs/test_docs_repository.py"}:
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{name}: {hit[0]}" for hit in pattern.finditer(text)]
    return found


def test_no_file_names_a_folder_of_a_machine() -> None:
    """Paths are relative to the repository."""
    assert _lines(_MACHINE_PATH) == []


def test_no_file_names_a_package_registry() -> None:
    """Registry hosts stand in uv.lock and nowhere else."""
    assert _lines(_REGISTRY) == []


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        pytest.param("cd /home/me/gatelab", _MACHINE_PATH, id="home"),
        pytest.param('"/root/gatelab"', _MACHINE_PATH, id="quoted"),
        pytest.param("--index-url https://mirror", _REGISTRY, id="index"),
        pytest.param("https://pypi.org/simple", _REGISTRY, id="pypi"),
    ],
)
def test_the_patterns_find_what_they_should(text: str, pattern: re.Pattern[str]) -> None:
    """A path of a machine and the host of a registry are noticed."""
    assert pattern.search(text)

"""The manifests and scenarios that ship with the product, in a checkout or an installed wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def shipped(name: str) -> Path:
    """Return the folder `deploy` or `scenarios` of the product."""
    bundled = _PACKAGE / "bundle" / name
    return bundled if bundled.is_dir() else _PACKAGE.parent.parent / name

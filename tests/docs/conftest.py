"""Lets the tests import the generator, which is a script and not part of a package."""

from __future__ import annotations

import sys

from docs_project import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

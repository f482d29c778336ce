"""What the pages of all services share: one look, one chart library, one way to embed data.

A page is one document that needs nothing else, not even a network: its style and script are
written into it. `assets/uplot` is uPlot as published (see VERSION and LICENSE there).
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

_PACKAGE = "svckit.webpage"


def environment(package: str) -> Environment:
    """Return a template environment for the folder `templates` of a package.

    Templates may call `shared(name)` for a file of this package's assets, and `asset(name)` for
    one of the package's own.
    """
    made = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.globals["shared"] = lambda name: _asset(_PACKAGE, name)
    made.globals["asset"] = lambda name: _asset(package, name)
    return made


def text_environment(package: str) -> Environment:
    """Return the same for templates of plain text, such as source code: nothing is escaped."""
    made = environment(package)
    made.autoescape = False
    made.filters["repr"] = repr
    return made


def inline_json(value: Any) -> Markup:
    """Return JSON for a script element: nothing in it can close the element or open a comment."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - escaped above


def _asset(package: str, name: str) -> Markup:
    """Return a file of a package's assets as it is; they are ours, and no visitor's."""
    return Markup(files(package).joinpath("assets", name).read_text("utf-8"))  # noqa: S704

"""openapi/*.json: the description of each service's HTTP interface."""

from __future__ import annotations

import json
from typing import Any

from reference.programs import SERVICES


def documents() -> dict[str, str]:
    """Return file name -> text, one for each service."""
    return {
        f"{service.command}.json": json.dumps(
            _framework(service.application()).openapi(), indent=2, ensure_ascii=False
        )
        + "\n"
        for service in SERVICES
    }


def _framework(application: Any) -> Any:
    """Return the FastAPI application inside the small layers that stand before it."""
    return getattr(application, "_app", application)

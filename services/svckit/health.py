"""/livez, /readyz and /healthz: alive is always yes, ready is what the named checks say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fastapi import FastAPI


def install_health_routes(app: FastAPI, checks: Mapping[str, Callable[[], bool]]) -> None:
    """Serve the three routes; a check returns whether its part can do its work now."""

    async def livez() -> JSONResponse:
        return JSONResponse({"status": "ok"})

    async def readyz() -> JSONResponse:
        results = {name: bool(check()) for name, check in checks.items()}
        ready = all(results.values())
        return JSONResponse(
            {"status": "ok" if ready else "not_ready", "checks": results},
            status_code=200 if ready else 503,
        )

    app.add_api_route("/livez", livez, methods=["GET"], summary="Is the process alive?")
    app.add_api_route("/readyz", readyz, methods=["GET"], summary="Can it do its work?")
    app.add_api_route("/healthz", readyz, methods=["GET"], summary="Alias of /readyz")

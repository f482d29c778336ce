"""The operator's door to a run in progress: `POST /control/promote` and its like.

The server listens on loopback for as long as the run lasts. Its address and a key lie in
`control.json` in the run's folder, readable by its owner only; `gatelab promote` reads it there.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Header

from svckit.asgi import create_base_app, distribution_version
from svckit.errors import NotFound, Unauthorized
from svckit.metrics import new_registry
from svckit.server import serve_in_background

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from fastapi import FastAPI

CONTROL_FILE = "control.json"
KEY_HEADER = "X-Gatelab-Key"


def create_operator_app(
    *,
    key: str,
    commands: tuple[str, ...],
    operate: Callable[[str], None],
    status: Callable[[], dict[str, Any]],
) -> FastAPI:
    """Return the application; `operate` is called with a known command only."""
    app = create_base_app(
        title="gatelab run",
        description="Act on the rollout that is under way.",
        registry=new_registry(package="rollout_runner", version=distribution_version()),
    )

    def check(given: str) -> None:
        if not hmac.compare_digest(given.encode(), key.encode()):
            raise Unauthorized(
                f"header {KEY_HEADER} is missing or wrong",
                hint=f"the key is in {CONTROL_FILE} in the run's folder",
            )

    @app.get("/control/status", summary="Where the rollout stands")
    async def get_status(
        x_gatelab_key: Annotated[str, Header()] = "",
    ) -> dict[str, Any]:
        check(x_gatelab_key)
        return status()

    @app.post("/control/{command}", status_code=202, summary="Promote, abort, retry or undo")
    async def post_command(
        command: str, x_gatelab_key: Annotated[str, Header()] = ""
    ) -> dict[str, str]:
        check(x_gatelab_key)
        if command not in commands:
            raise NotFound("there is no such command", hint=f"known: {', '.join(commands)}")
        operate(command)
        return {"accepted": command}

    return app


@asynccontextmanager
async def operator_server(
    folder: Path,
    *,
    commands: tuple[str, ...],
    operate: Callable[[str], None],
    status: Callable[[], dict[str, Any]],
) -> AsyncIterator[None]:
    """Serve while the block runs; the control file is there for as long."""
    key = secrets.token_urlsafe(24)
    app = create_operator_app(key=key, commands=commands, operate=operate, status=status)
    path = folder / CONTROL_FILE
    async with serve_in_background(app) as url:
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump({"url": url, "key": key, "pid": os.getpid()}, file)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)

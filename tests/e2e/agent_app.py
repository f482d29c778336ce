"""A FastAPI application for New Relic's agent: run under `newrelic-admin run-program`.

It prints its port, and serves `GET /wait?ms=…&status=…`, `GET /raise` and `GET /expected`. What its
waiting really took it tells under `/durations`, which the agent is told to ignore.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import sys
from time import perf_counter

import newrelic.agent
import uvicorn
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

app = FastAPI()
seconds: list[float] = []


@app.get("/wait")
async def wait(ms: float, status: int = 200) -> PlainTextResponse:
    """Answer late, with a status."""
    started = perf_counter()
    await asyncio.sleep(ms / 1000)
    newrelic.agent.add_custom_attribute("experiment", "waiting")
    seconds.append(perf_counter() - started)
    return PlainTextResponse("done", status_code=status)


@app.get("/raise")
async def fail() -> None:
    """Fail as a broken version does."""
    raise RuntimeError("broken")


@app.get("/expected")
async def expected() -> PlainTextResponse:
    """Note an error that is expected."""
    try:
        int("no number")
    except ValueError:
        newrelic.agent.notice_error(expected=True)
    newrelic.agent.record_custom_event("Vote", {"choice": "a"})
    logging.getLogger(__name__).warning("a vote was cast")
    return PlainTextResponse("fine")


@app.get("/durations")
async def durations() -> PlainTextResponse:
    """Tell what the requests took."""
    newrelic.agent.ignore_transaction()
    return PlainTextResponse(json.dumps(seconds))


def main() -> None:
    """Serve until interrupted."""
    listening = socket.create_server(("127.0.0.1", 0))
    sys.stdout.write(f"{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
    asyncio.run(server.serve(sockets=[listening]))


if __name__ == "__main__":
    main()

"""Structured logs on stderr: past-tense event names, data in keys, no secrets.

log = structlog.get_logger()
log.info("injection_created", id="inj_1", app="voting01-vote-qa")
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

_SECRET_NAMES = ("api_key", "authorization", "license_key", "password", "secret", "token")


def hide_secrets(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Replace the value of every key whose name says that it is a secret."""
    for name in event:
        if any(secret in name.lower().replace("-", "_") for secret in _SECRET_NAMES):
            event[name] = "*****"
    return event


def configure_logging(*, level: str = "info", log_format: str = "auto", service: str = "") -> None:
    """Send structlog and the standard library's loggers to stderr in one shape."""
    console = log_format == "console" or (log_format == "auto" and sys.stderr.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        hide_secrets,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if service:
        shared.append(_Constant("service", service))
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if console
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("httpx").setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
        logging.getLogger(name).setLevel(logging.WARNING)


class _Constant:
    """A processor that adds one fixed key."""

    def __init__(self, name: str, value: str) -> None:
        self.name = name
        self.value = value

    def __call__(self, _logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
        event.setdefault(self.name, self.value)
        return event

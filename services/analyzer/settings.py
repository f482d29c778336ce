"""Settings of the analyzer: declarations only, with their defaults."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from analyzer.domain.targets import TargetRules, parse_allow, parse_resolve
from svckit.settings import ServiceSettings, settings_config

_DATABASES = ("postgresql://", "postgresql+psycopg://")
SOURCE_NAMES = ("newrelic", "nerdgraph", "prometheus")


_METRIC = r"^[a-zA-Z_:][a-zA-Z0-9_:]*$"
_LABEL = r"^[a-zA-Z_][a-zA-Z0-9_]*$"


def _check_pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    return value


def _split(value: Any) -> Any:
    """Let a comma list stand for a sequence, as environment variables need it."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _check_keys(value: Any) -> Any:
    parts = _split(value)
    if not all(parts):
        raise ValueError("an empty key would let everybody in")
    return parts


def _check_sources(value: Any) -> Any:
    for entry in (parts := _split(value)):
        name, _, url = str(entry).partition("=")
        if name not in SOURCE_NAMES:
            known = ", ".join(SOURCE_NAMES)
            raise ValueError(f"source {name!r} is not supported; known: {known}")
        if not _is_base_url(url):
            raise ValueError(f"{entry!r}: expected {name}=URL such as {name}=http://127.0.0.1:8080")
    return parts


def _is_base_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _check_allow(value: Any) -> Any:
    for entry in (parts := _split(value)):
        parse_allow(entry)
    return parts


def _check_resolve(value: Any) -> Any:
    for entry in (parts := _split(value)):
        parse_resolve(entry)
    return parts


def _check_database(value: SecretStr) -> SecretStr:
    url = value.get_secret_value()
    if url and not url.startswith(_DATABASES):
        raise ValueError("expected postgresql://user:password@host/name")
    return value


class Settings(ServiceSettings):
    """What `canary-analyzer serve` can be told."""

    model_config = settings_config("ANALYZER_")

    port: int = Field(8081, ge=0, le=65535, description="Port to listen on; 0 picks a free one.")
    source: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_check_sources)] = Field(
        (), description="Metric sources as name=URL; the first one is the default."
    )
    newrelic_api_key: SecretStr = Field(
        SecretStr(""),
        description="Key for the sources newrelic and nerdgraph; empty sends none.",
    )
    newrelic_account: int = Field(
        1, ge=1, description="Account id that the nerdgraph source queries."
    )
    newrelic_bad: str = Field(
        "error IS true", min_length=1, description="NRQL condition of a bad request (nerdgraph)."
    )
    newrelic_client_errors: bool = Field(
        True, description="Whether runs count an HTTP 4xx as a failed request (newrelic)."
    )
    prometheus_requests: str = Field(
        "http_requests_total", pattern=_METRIC, description="Counter of requests (prometheus)."
    )
    prometheus_latency: Annotated[str, Field(pattern=f"{_METRIC}|^$")] = Field(
        "http_request_duration_seconds",
        description="Histogram of seconds without _bucket, classic or native; empty for none.",
    )
    prometheus_app_label: str = Field(
        "app", pattern=_LABEL, description="Label with the application (prometheus)."
    )
    prometheus_hash_label: str = Field(
        "pod_template_hash", pattern=_LABEL, description="Label with the pod-template hash."
    )
    prometheus_status_label: str = Field(
        "code", pattern=_LABEL, description="Label with the HTTP status of a request."
    )
    prometheus_bad_status: Annotated[str, AfterValidator(_check_pattern)] = Field(
        "5..", description="Regular expression that the whole status of a bad request matches."
    )
    state_dir: Path = Field(
        Path(".gatelab/analyzer"), description="Directory in which runs are kept (SQLite)."
    )
    state_url: Annotated[SecretStr, AfterValidator(_check_database)] = Field(
        SecretStr(""),
        description="Database of runs for several replicas, postgresql://user:password@host/name; "
        "empty uses state_dir.",
    )
    ephemeral: bool = Field(
        False, description="Keep runs in memory: they are gone when the service ends."
    )
    config_dir: Path | None = Field(
        None, description="Directory of YAML configurations; a file hides the preset of its name."
    )
    default_config: str = Field(
        "balanced", min_length=1, description="Configuration of runs that name none."
    )
    ingestion_lag_seconds: float = Field(
        10.0,
        ge=0,
        le=3600,
        description="How long after its end a window is read: what the source takes to have it.",
    )
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_check_keys)] = Field(
        (), description="Keys that callers of /v1 must send as Api-Key; empty asks for none."
    )
    source_timeout_seconds: float = Field(
        8.0, gt=0, le=120, description="Longest wait for a source; below Argo's 10 s web time-out."
    )
    health_allow: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_check_allow)] = Field(
        (), description="namespace/service globs that may be probed; empty allows nothing."
    )
    health_resolve: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_check_resolve)] = Field(
        (), description="Addresses for local runs as service.namespace=host:port."
    )
    health_timeout_seconds: float = Field(
        10.0, gt=0, le=120, description="Longest wait for a probed target."
    )

    @property
    def database_url(self) -> str:
        """URL of the runs' database as SQLAlchemy takes it; empty for the directory."""
        url = self.state_url.get_secret_value()
        return url.replace("postgresql://", "postgresql+psycopg://", 1)

    @property
    def source_urls(self) -> dict[str, str]:
        """Base URL by source name, in the order given."""
        return dict(entry.split("=", 1) for entry in self.source)

    @property
    def target_rules(self) -> TargetRules:
        """The health check's allow-list and addresses."""
        return TargetRules(
            allow=tuple(parse_allow(entry) for entry in self.health_allow),
            resolve=dict(parse_resolve(entry) for entry in self.health_resolve),
        )

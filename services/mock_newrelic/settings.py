"""What mock-newrelic can be told. The variables begin with MOCK_NEWRELIC_."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from mock_newrelic.domain.ingest.metric_api import UNITS, GoldenSignals
from svckit.durations import DurationError, parse_duration
from svckit.settings import ServiceSettings, settings_config

DEFAULT_API_KEY = "test-key"
DEFAULT_DATA_DIR = "./.gatelab/mock-newrelic"
DEFAULT_ADMIN_KEY = "admin-key"


class Settings(ServiceSettings):
    """Settings of mock-newrelic."""

    model_config = settings_config("MOCK_NEWRELIC_")

    port: int = Field(8080, ge=0, le=65535, description="Port to listen on; 0 picks a free one.")
    auth: Literal["static", "open"] = Field(
        "static", description="static: reading and ingest need a key; open: they do not."
    )
    api_keys: SecretStr = Field(
        SecretStr(DEFAULT_API_KEY), description="Keys for reading and ingest, comma-separated."
    )
    admin_key: SecretStr = Field(
        SecretStr(DEFAULT_ADMIN_KEY), description="Key of the control plane."
    )
    ephemeral: bool = Field(
        False, description="Keep everything in memory only; a restart begins with nothing."
    )
    data_dir: str = Field(
        DEFAULT_DATA_DIR, min_length=1, description="Directory in which everything is kept."
    )
    stale_after: str = Field(
        "",
        description="Age of the last sample from which answers are 503 (Go duration); empty: none.",
    )
    probe_user_agents: str = Field(
        "kube-probe",
        description="Beginnings of the user agents of health checks, comma-separated.",
    )
    probe_paths: str = Field(
        "/livez,/readyz,/healthz", description="Paths of health checks, comma-separated."
    )
    metric_api_requests: str = Field(
        "*.requests",
        description="Counts of the Metric API that count requests: name patterns, comma-separated.",
    )
    metric_api_errors: str = Field(
        "*.errors",
        description="Counts of the Metric API that count failed requests, likewise.",
    )
    metric_api_latencies: str = Field(
        "*.ms=ms,http.server.duration=ms,*.duration=s",
        description="Summaries of the Metric API that tell latencies: PATTERN=UNIT, s or ms; "
        "the first that matches counts.",
    )
    tls_port: int | None = Field(
        None, ge=0, le=65535, description="Port to serve TLS on too; 0 picks a free one."
    )
    tls_dir: str = Field(
        "",
        description="Directory of ca.pem, server.pem and server.key, made when absent; "
        "empty: tls in the data directory.",
    )
    tls_host: str = Field(
        "",
        description="Names and addresses that the certificate is for, besides localhost, "
        "127.0.0.1 and ::1; comma-separated.",
    )
    license_keys: SecretStr = Field(
        SecretStr(""),
        description="Licence keys that agents may use, comma-separated; "
        "empty: any of 16 to 64 letters and digits.",
    )
    public_host: str = Field(
        "",
        description="Name by which agents reach the service; empty: the one that they used.",
    )
    public_port: int = Field(
        0,
        ge=0,
        le=65535,
        description="Port by which agents reach the service; 0: the one that they used.",
    )
    otlp_nr_empty_body: bool = Field(
        False, description="Answer OTLP with an empty body on success, as New Relic does."
    )
    ci: bool = Field(
        False, description="Refuse to create snapshots: in CI a missing one is an error."
    )
    max_apps: int = Field(200, ge=1, description="Most applications that are kept.")
    max_series: int = Field(2000, ge=1, description="Most series that are kept per application.")

    @field_validator("api_keys", "admin_key")
    @classmethod
    def _not_empty(cls, keys: SecretStr) -> SecretStr:
        if not split_list(keys.get_secret_value()):
            raise ValueError("at least one key is needed")
        return keys

    @field_validator("stale_after")
    @classmethod
    def _is_duration(cls, text: str) -> str:
        try:
            if text and parse_duration(text) <= 0:
                raise ValueError("not above zero")
        except DurationError as error:
            raise ValueError(str(error)) from None
        return text

    @field_validator("metric_api_latencies")
    @classmethod
    def _has_units(cls, text: str) -> str:
        for part in split_list(text):
            if part.rpartition("=")[2] not in UNITS or not part.rpartition("=")[0]:
                raise ValueError(f"{part!r} is not PATTERN=s or PATTERN=ms")
        return text

    @property
    def tls_directory(self) -> Path:
        """Where the certificates are."""
        return Path(self.tls_dir) if self.tls_dir else Path(self.data_dir) / "tls"

    @property
    def golden_signals(self) -> GoldenSignals:
        """What the metrics of the Metric API mean."""
        latencies = (part.rpartition("=") for part in split_list(self.metric_api_latencies))
        return GoldenSignals(
            requests=split_list(self.metric_api_requests),
            errors=split_list(self.metric_api_errors),
            latencies=tuple((pattern, unit) for pattern, _, unit in latencies),
        )

    @property
    def keys(self) -> frozenset[str]:
        """The keys for reading and ingest."""
        return frozenset(split_list(self.api_keys.get_secret_value()))

    @property
    def uses_default_keys(self) -> bool:
        """Whether a key is in force that everybody knows."""
        return (
            DEFAULT_API_KEY in self.keys or self.admin_key.get_secret_value() == DEFAULT_ADMIN_KEY
        )

    @property
    def stale_after_seconds(self) -> float | None:
        """Age of the last sample from which answers are refused, or None."""
        return parse_duration(self.stale_after) if self.stale_after else None


def split_list(text: str) -> tuple[str, ...]:
    """Return the parts of a comma list without blanks and empty parts."""
    return tuple(part for part in (part.strip() for part in text.split(",")) if part)

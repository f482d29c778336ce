"""What mock-newrelic can be told. The variables begin with MOCK_NEWRELIC_."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr, field_validator

from svckit.durations import DurationError, parse_duration
from svckit.settings import ServiceSettings, settings_config

DEFAULT_API_KEY = "test-key"
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
        True, description="Keep samples in memory only: the one store there is."
    )
    data_dir: str = Field("", description="Not available: there is no durable store.")
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

    @field_validator("ephemeral")
    @classmethod
    def _only_memory(cls, ephemeral: bool) -> bool:  # noqa: FBT001 - pydantic's signature
        if not ephemeral:
            raise ValueError("there is no durable store; samples live in memory only")
        return ephemeral

    @field_validator("data_dir")
    @classmethod
    def _no_directory(cls, directory: str) -> str:
        if directory:
            raise ValueError("there is no durable store; leave it out (samples live in memory)")
        return directory

    @field_validator("stale_after")
    @classmethod
    def _is_duration(cls, text: str) -> str:
        try:
            if text and parse_duration(text) <= 0:
                raise ValueError("not above zero")
        except DurationError as error:
            raise ValueError(str(error)) from None
        return text

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

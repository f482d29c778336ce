"""Settings of voteapp; environment prefix VOTEAPP_."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from svckit.settings import ServiceSettings, settings_config

# What the Event API takes as appName.
_APP = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._:/()@+-]{0,198}[A-Za-z0-9._)@+-])?")


class VoteappSettings(ServiceSettings):
    """Which version this process plays, and where it reports what it served."""

    model_config = settings_config("VOTEAPP_")

    port: int = Field(8083, ge=0, le=65535, description="Port to listen on; 0 picks a free one.")
    hash: str = Field(
        "7cd75c6d7c",
        pattern=r"^[a-z0-9]{1,63}$",
        description="Pod-template hash, sent with every answer and every reported transaction.",
    )
    version: str = Field(
        "v17", min_length=1, max_length=255, description="Version printed on the page."
    )
    pod_name: str = Field(
        "",
        max_length=255,
        description="Host name printed on the page; default vote-<hash>-<5 characters>.",
    )
    option_a: str = Field("Cats", description="What a vote for `a` means.")
    option_b: str = Field("Dogs", description="What a vote for `b` means.")
    report_to: str = Field(
        "",
        pattern=r"^(https?://.+)?$",
        description="Base URL of the APM; empty reports nothing.",
    )
    app: str = Field("voting01-vote-qa", description="appName of the telemetry.")
    telemetry: Literal["event-api", "otlp", "none"] | None = Field(
        None,
        description="How to report: event-api, otlp (server spans) or none; default event-api when "
        "report_to is set, else none.",
    )
    api_key: SecretStr = Field(SecretStr("test-key"), description="Key of the APM.")
    account_id: int = Field(1, ge=1, description="Account in the Event API's path.")
    votes_kept: int = Field(
        100_000, ge=1, description="How many votes are kept; the oldest go first."
    )
    redis: str = Field(
        "",
        pattern=r"^(rediss?://.+)?$",
        description="Redis whose list `votes` gets the votes; empty keeps them in memory.",
    )
    seed: int = Field(1, ge=0, description="Seed of fault decisions, voter ids and the pod name.")

    @field_validator("app")
    @classmethod
    def _is_an_application_name(cls, value: str) -> str:
        if not _APP.fullmatch(value):
            raise ValueError(
                "expected letters, digits, space and . _ : / ( ) @ + -, at most 200 characters; "
                "events under another name are refused"
            )
        return value

    @field_validator("telemetry")
    @classmethod
    def _has_a_place_to_go(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value not in {None, "none"} and not info.data.get("report_to"):
            raise ValueError(f"{value} needs --report-to, the base URL of the APM")
        return value

    @property
    def reports(self) -> bool:
        """Whether served requests are reported."""
        return bool(self.report_to) and self.telemetry != "none"

"""Settings of `votegen serve`; environment prefix VOTEGEN_."""

from __future__ import annotations

from pydantic import Field, SecretStr

from svckit.settings import ServiceSettings, settings_config


class VotegenSettings(ServiceSettings):
    """Where the control plane listens, and who is told what the client saw.

    What is sent is a plan, not a setting.
    """

    model_config = settings_config("VOTEGEN_")

    port: int = Field(8082, ge=0, le=65535, description="Port to listen on; 0 picks a free one.")
    report_to: str = Field(
        "",
        pattern=r"^(https?://.+)?$",
        description="mock-newrelic that is told how requests ended; empty tells nobody.",
    )
    report_app: str = Field(
        "votegen", min_length=1, description="Application name of these reports."
    )
    report_key: SecretStr = Field(SecretStr("test-key"), description="Api-Key of these reports.")

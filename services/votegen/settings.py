"""Settings of `votegen serve`; environment prefix VOTEGEN_."""

from __future__ import annotations

from pydantic import Field

from svckit.settings import ServiceSettings, settings_config


class VotegenSettings(ServiceSettings):
    """Where the control plane listens; what is sent is a plan, not a setting."""

    model_config = settings_config("VOTEGEN_")

    port: int = Field(8082, ge=0, le=65535, description="Port to listen on; 0 picks a free one.")

"""Settings: flag > environment > file > default, with errors that name the field.

A service declares its settings as a subclass with an environment prefix:

    class Settings(ServiceSettings):
        model_config = settings_config("VOTEAPP_")
        port: int = 8083
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

import yaml
from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from svckit.errors import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path


def settings_config(prefix: str) -> SettingsConfigDict:
    """Return the model configuration of a service whose variables begin with `prefix`."""
    return SettingsConfigDict(
        env_prefix=prefix, env_nested_delimiter="__", extra="forbid", frozen=True
    )


class ServiceSettings(BaseSettings):
    """What every service can be told: where to listen and how to log."""

    host: str = Field("127.0.0.1", description="Address to listen on; images set 0.0.0.0.")
    port: int = Field(0, ge=0, le=65535, description="Port to listen on; 0 picks a free one.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe level that is written."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="auto: console on a terminal, JSON elsewhere."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Leave out .env files and secret folders: three sources are enough to reason about."""
        return init_settings, env_settings

    @classmethod
    def load(cls, *, config: Path | None = None, **flags: Any) -> Self:
        """Build the settings; a flag that is None was not given.

        Raises:
            InvalidInput: a value is wrong; the message names the field and its variable.
        """
        given = {name: value for name, value in flags.items() if value is not None}
        try:
            if config is None:
                return cls(**given)
            # The environment beats the file, so file values that it overrides are dropped.
            from_file = _read_file(config)
            environment = cls().model_dump(exclude_unset=True)
            return cls(**(from_file | environment | given))
        except ValidationError as error:
            raise _explain(error, cls, config) from None


def _read_file(path: Path) -> dict[str, Any]:
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    except (OSError, yaml.YAMLError) as error:
        raise InvalidInput(f"--config {path}: {error}", hint="expected a YAML mapping") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise InvalidInput(f"--config {path}: expected a mapping of setting names to values")
    return content


def _explain(
    error: ValidationError, cls: type[ServiceSettings], config: Path | None
) -> InvalidInput:
    prefix = cls.model_config.get("env_prefix") or ""
    problems = [
        {
            "loc": ".".join(str(part) for part in item["loc"]),
            "msg": item["msg"].removeprefix("Value error, "),
        }
        for item in error.errors(include_url=False, include_input=False)
    ]
    first = problems[0]
    name = first["loc"].split(".")[0]
    if not name:
        return InvalidInput(f"settings: {first['msg']}", errors=tuple(problems))
    if name not in cls.model_fields:
        where = f"{config}: " if config else ""
        return InvalidInput(
            f"{where}unknown setting {name!r}",
            hint=f"known settings: {', '.join(sorted(cls.model_fields))}",
            errors=tuple(problems),
        )
    return InvalidInput(
        f"setting {first['loc']!r}: {first['msg']}",
        hint=f"set it with --{name.replace('_', '-')} or {prefix}{name.upper()}",
        errors=tuple(problems),
    )

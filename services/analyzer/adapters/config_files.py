"""Named configurations: those that ship, and YAML files of a directory, read again when changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analyzer.schemas.config_file import DEFAULT, NAME, PRESETS, preset, read_config
from svckit.errors import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path

    from analyzer.domain.config import JudgeConfig

SUFFIX = ".yaml"
_MOST_BYTES = 256 * 1024


class ConfigFiles:
    """Configs over a directory; a file hides the preset of its name.

    A file is read again when its time or size has changed. One that became unusable is an error for
    those who ask for it; what a run began with is kept beside the run.
    """

    def __init__(self, directory: Path | None = None, *, default: str = DEFAULT) -> None:
        self._directory, self._default = directory, default
        self._read: dict[str, tuple[tuple[int, int], JudgeConfig]] = {}
        self._presets: dict[str, JudgeConfig] = {}

    def get(self, name: str | None) -> JudgeConfig:
        """Return a configuration as it is now; see the port."""
        name = name or self._default
        if not NAME.fullmatch(name):
            raise _unknown(name, self.names())
        found = self._from_file(name)
        if found is not None:
            return found
        if name not in PRESETS:
            raise _unknown(name, self.names())
        if name not in self._presets:
            self._presets[name] = preset(name)
        return self._presets[name]

    def names(self) -> tuple[str, ...]:
        """Return all names that there are now."""
        files = () if self._directory is None else self._directory.glob(f"*{SUFFIX}")
        named = (path.name.removesuffix(SUFFIX) for path in files)
        return tuple(sorted({*PRESETS, *(name for name in named if NAME.fullmatch(name))}))

    def check(self) -> None:
        """Read everything.

        Raises:
            InvalidInput: the directory is none, a file cannot be used, or there is no default.
        """
        if self._directory is not None and not self._directory.is_dir():
            raise InvalidInput(
                f"config_dir: {self._directory} is no directory", hint="name one with YAML files"
            )
        for name in (self._default, *self.names()):
            self.get(name)

    def _from_file(self, name: str) -> JudgeConfig | None:
        if self._directory is None:
            return None
        path = self._directory / f"{name}{SUFFIX}"
        try:
            status = path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            known = self._read.get(name)
            if known is not None and known[0] == stamp:
                return known[1]
            if status.st_size > _MOST_BYTES:
                raise InvalidInput(f"{path}: more than {_MOST_BYTES} bytes", code="invalid_config")
            text = path.read_text("utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(f"{path}: {error}", code="invalid_config") from None
        config = read_config(text, name=name, where=str(path))
        self._read[name] = (stamp, config)
        return config


def _unknown(name: str, known: tuple[str, ...]) -> InvalidInput:
    shown = name if NAME.fullmatch(name) else "a name that is none"
    return InvalidInput(
        f"config: {shown} is not known",
        code="unknown_config",
        hint=f"known: {', '.join(known)}",
        errors=({"loc": "config", "msg": "unknown configuration"},),
    )

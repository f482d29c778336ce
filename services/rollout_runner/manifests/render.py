"""From a path to YAML text: a file, a folder of files, or a kustomization.

A kustomization is rendered by `kubectl kustomize` or `kustomize build`, whichever is installed.
Where neither is, the text rendered earlier is taken from `rendered/NAME.yaml` two folders up:
`deploy/overlays/qa` -> `deploy/rendered/qa.yaml`.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from svckit.errors import InvalidInput, NotFound, Unavailable

if TYPE_CHECKING:
    from pathlib import Path

KUSTOMIZATIONS: Final = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_SUFFIXES: Final = frozenset({".yaml", ".yml", ".json"})
_RENDERERS: Final = (("kubectl", "kustomize"), ("kustomize", "build"))
_TIMEOUT_SECONDS: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A text and the name by which errors call it."""

    name: str
    text: str


def render(path: Path) -> str:
    """Return the manifests at a path as one YAML text.

    Raises:
        InvalidInput: nothing is there, it cannot be read, or kustomize refuses it.
        Unavailable: kustomize does not come back.
    """
    return "\n---\n".join(source.text for source in read_sources(path))


def read_sources(path: Path) -> tuple[Source, ...]:
    """Return the texts at a path, each with its name; raises as `render` does."""
    if not path.exists():
        raise NotFound(f"{path}: there is no such file or folder", hint=_neighbours(path))
    folder = kustomization_folder(path)
    if folder is not None:
        return (_kustomize(folder),)
    if not path.is_dir():  # a pipe will do, as in `gatelab run <(kubectl kustomize …)`
        return (_read(path),)
    files = sorted(each for each in path.iterdir() if each.suffix in _SUFFIXES and each.is_file())
    if not files:
        raise InvalidInput(
            f"{path}: the folder holds no manifest",
            hint=f"give a kustomize overlay, a file, or a folder of files; {_contents(path)}",
        )
    return tuple(_read(each) for each in files)


def kustomization_folder(path: Path) -> Path | None:
    """Return the folder of the kustomization that a path means; None if it means none."""
    if path.name in KUSTOMIZATIONS:
        return path.parent
    if any((path / name).is_file() for name in KUSTOMIZATIONS):
        return path
    return None


def _kustomize(folder: Path) -> Source:
    for program, verb in _RENDERERS:
        found = shutil.which(program)
        if found is not None:
            text = _run([found, verb, str(folder.resolve())], folder)
            return Source(name=f"{folder} (rendered)", text=text)
    rendered = folder.resolve().parents[1] / "rendered" / f"{folder.resolve().name}.yaml"
    if rendered.is_file():
        return _read(rendered)
    raise InvalidInput(
        f"{folder}: neither kubectl nor kustomize is installed, and {rendered} is not there",
        hint="install kubectl, or give a file that `kubectl kustomize` has written elsewhere",
    )


def _run(command: list[str], folder: Path) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - a program found on PATH, its argument one path
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(
            f"{folder}: kustomize did not finish within {_TIMEOUT_SECONDS} s",
            hint="does the kustomization refer to something on the network?",
        ) from None
    except OSError as error:
        raise Unavailable(f"{command[0]} cannot be started: {error.strerror}") from None
    if done.returncode != 0:
        said = " ".join(done.stderr.decode(errors="replace").split())
        raise InvalidInput(
            f"{folder}: kustomize refuses it: {said.removeprefix('error: ')}",
            hint=f"try: kubectl kustomize {folder}",
        )
    return done.stdout.decode()


def _read(path: Path) -> Source:
    try:
        return Source(name=str(path), text=path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"{path}: not UTF-8 text (byte {error.start})", hint="save the file as UTF-8"
        ) from None


def _neighbours(path: Path) -> str:
    """Say what is there instead, for a typing mistake in the last part of the path."""
    if not path.parent.is_dir():
        return f"{path.parent} does not exist either"
    return _contents(path.parent)


def _contents(folder: Path) -> str:
    names = sorted(
        each.name
        for each in folder.iterdir()
        if not each.name.startswith(".") and (each.is_dir() or each.suffix in _SUFFIXES)
    )
    return f"{folder} holds: {', '.join(names) or 'no manifests'}"

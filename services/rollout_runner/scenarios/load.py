"""Reading scenario files and the scenarios that ship with the product."""

from __future__ import annotations

import difflib
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError

from rollout_runner.scenarios.model import (
    AddedLatency,
    Behaviour,
    Expectation,
    Scenario,
    TimelineEntry,
    Traffic,
)
from svckit.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

_SUFFIXES = (".yaml", ".yml")
_FIELDS = sorted(
    {
        info.alias or name
        for block in (Scenario, Traffic, Behaviour, AddedLatency, TimelineEntry, Expectation)
        for name, info in block.model_fields.items()
    }
)
_HINT = "docs/reference/scenarios.md lists the fields; scenarios/ has examples"


def load_scenario(path: Path) -> Scenario:
    """Read one scenario file.

    Raises:
        InvalidInput: the file is missing, not YAML, or a field is wrong; the message names it.
    """
    try:
        document: Any = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - a safe loader
    except OSError as error:
        raise InvalidInput(
            f"scenario {path}: {error.strerror}",
            hint="--scenario takes a YAML file, or the name of a scenario that ships",
        ) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InvalidInput(
            f"scenario {path}: not YAML: {' '.join(str(error).split())}", hint=_HINT
        ) from None
    if not isinstance(document, dict):
        raise InvalidInput(f"scenario {path}: expected a mapping with at least `name`", hint=_HINT)
    try:
        return Scenario.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        unknown = first["type"] == "extra_forbidden"
        message = "unknown field" if unknown else first["msg"].removeprefix("Value error, ")
        near = difflib.get_close_matches(str(first["loc"][-1]), _FIELDS, n=1) if unknown else []
        raise InvalidInput(
            f"scenario {path}: {field or 'document'}: {message}",
            hint=f"did you mean `{near[0]}`?" if near else _HINT,
        ) from None


def find_scenario(name: str, folder: Path) -> Path:
    """Return the file of a scenario given by name (`bad-canary`) or by path.

    Raises:
        InvalidInput: there is no such scenario; the hint lists those that exist.
    """
    if name.endswith(_SUFFIXES):
        return Path(name)
    files = {path.stem: path for path in scenario_files(folder)}
    if name not in files:
        known = ", ".join(sorted(files)) or "none"
        raise InvalidInput(
            f"there is no scenario {name!r} in {folder}",
            hint=f"known scenarios: {known}; or give the path of a YAML file",
        )
    return files[name]


def scenario_files(folder: Path) -> list[Path]:
    """Return the YAML files of a folder and of those below it, in the order of their paths."""
    return sorted(path for path in folder.rglob("*") if path.suffix in _SUFFIXES and path.is_file())


def collect_scenarios(places: Sequence[str]) -> list[Path]:
    """Return the files that folders, globs and paths name, each once, in the order given.

    Raises:
        InvalidInput: one of them names nothing.
    """
    found: dict[Path, None] = {}
    for place in places:
        path = Path(place)
        if path.is_dir():
            files = scenario_files(path)
        elif path.exists():
            files = [path]
        else:
            files = sorted(Path(each) for each in glob(place, recursive=True))  # noqa: PTH207 - any root
        if not files:
            raise InvalidInput(
                f"{place}: there is no scenario",
                hint="give YAML files, folders of them, or a quoted glob such as 'gates/*.yaml'",
            )
        found |= dict.fromkeys(files)
    return list(found)


class _Loader(yaml.CSafeLoader):
    """YAML without the 1.1 booleans and dates: the key `on` is the word, a time is text.

    A key that is given twice is refused: YAML would keep the last one without a word.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - the base class's signature
        """Return the mapping of a node."""
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"{key.value!r} is given twice", problem_mark=key.start_mark
                )
            seen.add(str(key.value))
        return super().construct_mapping(node, deep=deep)


_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern)
        for tag, pattern in resolvers
        if not (tag == "tag:yaml.org,2002:bool" and first in "yYnNoO")
        and tag != "tag:yaml.org,2002:timestamp"
    ]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}

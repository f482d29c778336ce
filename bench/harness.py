"""How everything here is measured: contenders take turns, ratios are taken inside one round.

A machine drifts from minute to minute, so a figure alone says little. In every round each
contender runs once, in the same order, and is divided by the baseline of that very round; what is
reported is the median of these ratios with their range.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterable

RESULTS = Path(__file__).parent / "results"


class Unavailable(Exception):  # noqa: N818 - a reason to leave a peer out, not a failure
    """A contender cannot run on this machine; the text says what is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One of those who are compared.

    Attributes:
        name: as it appears in the table.
        prepare: returns a context manager that yields the measuring function; what it starts, it
            ends. It may raise Unavailable. The measuring function does the work once and returns
            the figure in the unit of the comparison.
        package: distribution whose version belongs beside the figure.
        note: what differs in meaning from the baseline.
    """

    name: str
    prepare: Callable[[], AbstractContextManager[Callable[[], float]]]
    package: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is aimed at: `contender` is at least `ratio` times as good as `against`."""

    contender: str
    against: str
    ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What is aimed at in the unit itself: the contender's median is no worse than `value`."""

    contender: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Contenders that do the same work; the first one is the baseline of the ratios.

    Attributes:
        unit: of the figures.
        more_is_better: whether a higher figure is the better one. A ratio is always "times as
            good as", so above 1 is better either way.
    """

    name: str
    title: str
    unit: str
    contenders: Sequence[Contender]
    more_is_better: bool = True
    targets: Sequence[Target] = ()
    limits: Sequence[Limit] = ()
    rounds: int = 5


@dataclass(slots=True)
class Outcome:
    """The figures of one comparison, round by round."""

    comparison: Comparison
    figures: dict[str, list[float]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def ratios(self, name: str, against: str) -> list[float]:
        """Return how many times as good `name` was, round by round."""
        pairs = zip(self.figures[name], self.figures[against], strict=True)
        if self.comparison.more_is_better:
            return [mine / other for mine, other in pairs]
        return [other / mine for mine, other in pairs]

    def findings(self) -> list[dict[str, Any]]:
        """Return every target and limit with what was reached; None when it was not measured."""
        found: list[dict[str, Any]] = []
        for target in self.comparison.targets:
            measured = target.contender in self.figures and target.against in self.figures
            reached = (
                statistics.median(self.ratios(target.contender, target.against))
                if measured
                else None
            )
            found.append(
                {
                    "what": f"{target.contender} / {target.against}",
                    "target": target.ratio,
                    "reached": reached,
                    "met": None if reached is None else reached >= target.ratio,
                }
            )
        for limit in self.comparison.limits:
            figures = self.figures.get(limit.contender)
            reached = statistics.median(figures) if figures else None
            better = self.comparison.more_is_better
            found.append(
                {
                    "what": f"{limit.contender} {'>=' if better else '<='} {limit.value:g} "
                    f"{self.comparison.unit}",
                    "target": limit.value,
                    "reached": reached,
                    "met": None
                    if reached is None
                    else (reached >= limit.value if better else reached <= limit.value),
                }
            )
        return found

    def as_json(self) -> dict[str, Any]:
        """Return everything that was measured, with what it was measured on."""
        present = [one for one in self.comparison.contenders if one.name in self.figures]
        baseline = present[0].name if present else ""
        return {
            "name": self.comparison.name,
            "title": self.comparison.title,
            "unit": self.comparison.unit,
            "moreIsBetter": self.comparison.more_is_better,
            "machine": machine(),
            "baseline": baseline,
            "contenders": [
                {
                    "name": one.name,
                    "version": _version(one.package),
                    "note": one.note,
                    "median": statistics.median(self.figures[one.name]),
                    "figures": self.figures[one.name],
                    "ratio": statistics.median(self.ratios(one.name, baseline)),
                    "ratios": self.ratios(one.name, baseline),
                }
                for one in present
            ],
            "missing": self.missing,
            "findings": self.findings(),
        }


def compare(comparison: Comparison, *, rounds: int | None = None, say: TextIO) -> Outcome:
    """Run the comparison; who cannot run, or fails in a round, is left out and named."""
    outcome = Outcome(comparison)
    with ExitStack() as stack:
        measures: dict[str, Callable[[], float]] = {}
        for contender in comparison.contenders:
            try:
                measures[contender.name] = stack.enter_context(contender.prepare())
            except Unavailable as reason:
                outcome.missing[contender.name] = str(reason)
        for number in range(rounds or comparison.rounds):
            for name, measure in list(measures.items()):
                print(
                    f"\r{comparison.name}: round {number + 1}, {name}".ljust(79),
                    end="",
                    file=say,
                    flush=True,
                )
                try:
                    outcome.figures.setdefault(name, []).append(measure())
                except Unavailable as reason:
                    del measures[name], outcome.figures[name]
                    outcome.missing[name] = str(reason)
    print("\r".ljust(80) + "\r", end="", file=say, flush=True)
    return outcome


def table(outcome: Outcome) -> str:
    """Return the outcome as text: medians, ratios to the baseline, targets."""
    document = outcome.as_json()
    lines = [f"{document['title']}  [{document['unit']}]"]
    for one in document["contenders"]:
        low, high = min(one["ratios"]), max(one["ratios"])
        named = f"{one['name']} {one['version']}".strip()
        lines.append(
            f"  {named:44} {one['median']:>14,.6g}   {one['ratio']:7.3g} x  "
            f"[{low:.3g} - {high:.3g}]" + (f"  {one['note']}" if one["note"] else "")
        )
    lines += [f"  {name:44} not measured: {why}" for name, why in document["missing"].items()]
    words = {True: "met", False: "MISSED", None: "not measured"}
    for finding in document["findings"]:
        reached = "" if finding["reached"] is None else f", reached {finding['reached']:.3g}"
        lines.append(
            f"  target {finding['what']}: {finding['target']:g}{reached}: {words[finding['met']]}"
        )
    return "\n".join(lines)


def save(outcome: Outcome, folder: Path = RESULTS) -> Path:
    """Write the outcome as JSON and return where it lies."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{outcome.comparison.name}.json"
    path.write_text(json.dumps(outcome.as_json(), indent=1) + "\n", encoding="utf-8")
    return path


def plain(
    measure: Callable[[], float],
) -> Callable[[], AbstractContextManager[Callable[[], float]]]:
    """Return a `prepare` for a measuring function that needs no preparation."""
    return lambda: nullcontext(measure)


def cpu_seconds(pid: int) -> float:
    """Return the user and system time that a process has used so far, all its threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process."""
    pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def pinned(core: int, command: Iterable[str]) -> list[str]:
    """Return the command bound to one core, counted around where there are fewer."""
    cores = sorted(os.sched_getaffinity(0))
    return ["taskset", "--cpu-list", str(cores[core % len(cores)]), *command]


def machine() -> dict[str, Any]:
    """Return what the figures were measured on."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "arch": platform.machine(),
    }


def _version(package: str) -> str:
    if not package:
        return ""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""

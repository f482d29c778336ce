"""A rule: its code, what it is for, how to mend what it finds, and an example of either kind."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from rollout_runner.lint.finding import Severity
from rollout_runner.lint.objects import Item
from rollout_runner.manifests.documents import Path

if TYPE_CHECKING:
    from rollout_runner.lint.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One place that breaks a rule; `text_line` counts inside of a block of text there."""

    item: Item
    path: Path
    reason: str
    fix: str = ""
    text_line: int = 0


Check = Callable[["World"], Iterator[Hit]]


class Around(StrEnum):
    """What stands around the text of an example."""

    NOTHING = "nothing"
    TEMPLATE = "spec of an AnalysisTemplate"
    METRICS = "metrics of an AnalysisTemplate"
    ROLLOUT = "spec of a Rollout"
    CANARY = "canary strategy of a Rollout"
    BLUE_GREEN = "blue-green strategy of a Rollout"


@dataclass(frozen=True, slots=True)
class Example:
    """A part of a manifest, shown alone; `document` is the whole that can be linted.

    `more` are other objects that the part refers to.
    """

    around: Around
    text: str
    more: str = ""

    @property
    def shown(self) -> str:
        """The part alone, and the other objects behind it."""
        return f"{self.text}---\n{self.more}" if self.more else self.text

    @property
    def document(self) -> str:
        """The example with everything that it needs around it."""
        before, after, indent = _AROUND[self.around]
        whole = before + textwrap.indent(self.text, " " * indent) + after
        if after and "templateName: gate}" in self.text:
            whole += _GATE
        return f"{whole}---\n{self.more}" if self.more else whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One check of the catalogue. `why` and `fix` are for people, and end up in the reference."""

    code: str
    severity: Severity
    title: str
    why: str
    fix: str
    bad: Example
    good: Example
    check: Check


def rule(
    code: str, severity: Severity, title: str, *, why: str, fix: str, bad: Example, good: Example
) -> Callable[[Check], Rule]:
    """Make a rule of a function that yields what breaks it."""

    def make(check: Check) -> Rule:
        return Rule(
            code=code,
            severity=severity,
            title=title,
            why=" ".join(why.split()),
            fix=" ".join(fix.split()),
            bad=bad,
            good=good,
            check=check,
        )

    return make


def objects(text: str) -> Example:
    """Return an example that is whole objects."""
    return Example(Around.NOTHING, _tidy(text))


def template(text: str, more: str = "") -> Example:
    """Return an example that is the `spec` of an AnalysisTemplate called `gate`."""
    return Example(Around.TEMPLATE, _tidy(text), _tidy(more))


def metrics(text: str, more: str = "") -> Example:
    """Return an example that is the `metrics` of an AnalysisTemplate called `gate`."""
    return Example(Around.METRICS, _tidy(text), _tidy(more))


def rollout(text: str, more: str = "") -> Example:
    """Return an example that is the `spec` of a Rollout called `vote`."""
    return Example(Around.ROLLOUT, _tidy(text), _tidy(more))


def canary(text: str, more: str = "") -> Example:
    """Return an example that is the `canary` strategy of a Rollout; Services and gate exist."""
    return Example(Around.CANARY, _tidy(text), _tidy(more))


def blue_green(text: str, more: str = "") -> Example:
    """Return an example that is the `blueGreen` strategy of a Rollout."""
    return Example(Around.BLUE_GREEN, _tidy(text), _tidy(more))


def _tidy(text: str) -> str:
    return textwrap.dedent(text).strip("\n") + "\n" if text.strip() else ""


_TEMPLATE_HEAD = """\
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: gate}
spec:
"""
_ROLLOUT_HEAD = """\
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: vote}
spec:
"""
_POD = """\
  replicas: 4
  selector: {matchLabels: {app: vote}}
  template:
    metadata: {labels: {app: vote}}
    spec:
      containers:
        - name: vote
          image: registry.example/vote:v17
          readinessProbe: {httpGet: {path: /, port: 80}}
"""
_NEIGHBOURS = """\
---
apiVersion: v1
kind: Service
metadata: {name: vote}
spec: {selector: {app: vote}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: vote-canary}
spec: {selector: {app: vote}, ports: [{port: 80}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: vote}
spec:
  rules:
    - http:
        paths:
          - {path: /, pathType: Prefix, backend: {service: {name: vote, port: {number: 80}}}}
"""
_GATE = (
    "---\n"
    + _TEMPLATE_HEAD
    + """\
  metrics:
    - name: verdict
      count: 3
      interval: 30s
      successCondition: result.verdict == "pass"
      failureCondition: result.verdict == "fail"
      provider: {web: {url: "https://analyzer.example/v1/analysis", jsonPath: "{$}"}}
"""
)
_AROUND: dict[Around, tuple[str, str, int]] = {
    Around.NOTHING: ("", "", 0),
    Around.TEMPLATE: (_TEMPLATE_HEAD, "", 2),
    Around.METRICS: (_TEMPLATE_HEAD + "  metrics:\n", "", 4),
    Around.ROLLOUT: (_ROLLOUT_HEAD, _NEIGHBOURS, 2),
    Around.CANARY: (
        _ROLLOUT_HEAD + _POD + "  strategy:\n    canary:\n",
        _NEIGHBOURS,
        6,
    ),
    Around.BLUE_GREEN: (
        _ROLLOUT_HEAD + _POD + "  strategy:\n    blueGreen:\n",
        _NEIGHBOURS,
        6,
    ),
}

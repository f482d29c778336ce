"""GL09x: comments that ignore findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout_runner.lint.finding import Finding, Place, Severity
from rollout_runner.lint.rule import metrics, rule

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from rollout_runner.lint.ignores import Ignore
    from rollout_runner.lint.rule import Hit, Rule
    from rollout_runner.lint.world import World


def _metric(comment: str) -> str:
    return f"""
    - name: verdict
      count: 3
      interval: 30s
      failureLimit: 3{comment}
      successCondition: result.verdict == "pass"
      provider: {{web: {{url: https://analyzer.example/v1/analysis}}}}
    """


def _nothing(world: World) -> Iterator[Hit]:
    del world
    return iter(())


unused = rule(
    "GL090",
    Severity.WARNING,
    "ignore comment that ignores nothing",
    why="""The finding that it accepted is gone, or was never there. Left in place, it would hide
    the next one.""",
    fix="remove the comment",
    bad=metrics(
        _metric("").replace("failureLimit: 3", "failureLimit: 1  # gatelab: ignore GL308 a trial")
    ),
    good=metrics(_metric("  # gatelab: ignore GL308 a trial: nobody waits for this gate")),
)(_nothing)

unknown = rule(
    "GL091",
    Severity.WARNING,
    "ignore comment with an unknown code",
    why="A misspelt code ignores nothing, and one that was never a code says nothing to a reader.",
    fix="write `# gatelab: ignore CODE reason`; `gatelab lint --rules` lists the codes",
    bad=metrics(
        _metric("").replace("failureLimit: 3", "failureLimit: 1  # gatelab: ignore GL38 a trial")
    ),
    good=metrics(_metric("  # gatelab: ignore GL308 a trial: nobody waits for this gate")),
)(_nothing)

unreasoned = rule(
    "GL092",
    Severity.WARNING,
    "ignore comment without a reason",
    why="""Whoever reads the manifest next must be able to tell whether the reason still holds. A
    comment without one ignores nothing.""",
    fix="say behind the code why the finding is accepted",
    bad=metrics(_metric("").replace("failureLimit: 3", "failureLimit: 1  # gatelab: ignore GL308")),
    good=metrics(_metric("  # gatelab: ignore GL308 a trial: nobody waits for this gate")),
)(_nothing)


def comment_findings(
    ignores: Collection[Ignore],
    used: Collection[Ignore],
    rules: Mapping[str, Rule],
    *,
    applied: Collection[str],
) -> Iterator[Finding]:
    """Yield what is wrong with the comments themselves.

    Args:
        ignores: all of them.
        used: those that cover a finding.
        rules: the catalogue.
        applied: codes that were looked for; a comment for another one is not called unused.
    """
    for each in ignores:
        strange = [code for code in each.codes if code not in rules]
        if strange or not each.codes:
            yield _about(unknown, each, f"there is no rule {', '.join(strange) or 'named here'}")
        elif not each.reason:
            yield _about(
                unreasoned, each, f"{', '.join(each.codes)} would be ignored without a word"
            )
        elif each not in used and set(each.codes) <= set(applied):
            yield _about(unused, each, f"{', '.join(each.codes)} is not found here")


def _about(found: Rule, ignore: Ignore, reason: str) -> Finding:
    return Finding(
        code=found.code,
        severity=found.severity,
        title=found.title,
        place=Place(
            file=ignore.file, line=ignore.line, column=ignore.column, kind="", name="", path=""
        ),
        reason=reason,
        fix=found.fix,
    )

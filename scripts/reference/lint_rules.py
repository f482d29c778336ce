"""lint-rules.md: every rule of `gatelab lint`, from the registry that applies them."""

from __future__ import annotations

from reference.markdown import page, table
from rollout_runner.lint import RULES, Rule
from rollout_runner.lint.rule import Around, Example

_GROUPS = {
    "GL0": "Objects, schema and ignore comments",
    "GL1": "References",
    "GL2": "Arguments",
    "GL3": "Count, limits, times, rules",
    "GL4": "Conditions",
    "GL5": "Web provider",
    "GL6": "Prometheus and New Relic",
    "GL7": "Jobs",
    "GL8": "Rollout strategy",
    "GL9": "What gatelab cannot run",
}


def render() -> str:
    """Return the page."""
    parts: list[str] = []
    for prefix, title in _GROUPS.items():
        found = [each for each in RULES.values() if each.code.startswith(prefix)]
        if found:
            parts += [f"## {title}", *(part for each in found for part in _section(each))]
    return page(
        "Lint rules",
        f"`gatelab lint PATH` applies {len(RULES)} rules. `gatelab lint --explain CODE` says of one"
        " what this page says. An example is the part of a manifest that it names; the test suite"
        " holds every rule to both of its examples.",
        "An error stops the rollout or blinds its gate, a warning is a risk, a note is worth"
        " knowing. A finding that is accepted is marked in the manifest, with the reason:",
        "```yaml\nfailureLimit: 3  # gatelab: ignore GL308 this gate only reports\n```",
        "Behind a value the comment is for that line; on a line of its own for the next line that"
        " says something; before the first line of an object for the whole object. It works in the"
        " sources of a kustomize overlay as well, where the finding can be traced back to them.",
        table(
            ("Code", "Severity", "Finds"),
            [
                (f"[{each.code}](#{each.code.lower()})", each.severity.value, each.title)
                for each in RULES.values()
            ],
        ),
        *parts,
    )


def _section(found: Rule) -> tuple[str, ...]:
    return (
        f"### {found.code}",
        f"**{found.severity.value}: {found.title}.** {found.why}",
        f"Fix: {found.fix}.",
        *_example("Bad", found.bad),
        *_example("Good", found.good),
    )


def _example(label: str, example: Example) -> tuple[str, str]:
    about = "" if example.around is Around.NOTHING else f" ({example.around})"
    return f"{label}{about}:", f"```yaml\n{example.shown}```"

"""docs/reference/audit-faults.md: every fault of `gatelab audit`."""

from __future__ import annotations

import json
from itertools import groupby

from rollout_runner.audit.faults import FAULTS, Break, Change, Fault, Inject, Reply, Spoil

_HEAD = """# Faults of the audit

What `gatelab audit` puts in force, one at a time, from before the first step to the end:
[the guide](../guides/fail-open-audit.md) says how to read its matrix. `--fault NAME` tries one,
`--fault 'apm-*'` those that begin so. Faults marked *lie* give a plausible answer that happens to
be wrong: no condition on it could tell, so they are shown, and do not make the audit fail.

Not among them, as they cannot reach a gate over plain HTTP or need a machine of their own: expired
and wrong certificates, faults of the kernel's network, and what only New Relic's agents see.
"""


def render() -> str:
    """Return the page."""
    lines = [_HEAD]
    for group, faults in groupby(FAULTS, key=lambda fault: fault.group):
        lines += [
            f"## {group}",
            "",
            "| Fault | What it does | Put in force by |",
            "| --- | --- | --- |",
        ]
        for fault in faults:
            lie = " *(lie)*" if fault.lie else ""
            lines.append(f"| `{fault.name}` | {fault.says}{lie} | {_means(fault)} |")
        lines.append("")
    return "\n".join(lines)


def _means(fault: Fault) -> str:
    match fault.means:
        case Inject(effect=effect, role=role):
            scope = f" for the {role}" if role else ""
            return f"injection `{json.dumps(dict(effect))}`{scope}"
        case Reply(status=status, body=body):
            return f"every answer is {status}" + (f", {len(body)} bytes" if body else ", empty")
        case Spoil(kind=kind):
            return f"its answer, damaged: {kind.replace('_', ' ')}"
        case Break(kind=kind):
            return f"connections: {kind.replace('_', ' ')}"
        case Change(kind=kind):
            return f"the manifests: {kind.replace('_', ' ')}"

"""`gatelab lint`: manifests from disk, findings to stdout."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from rollout_runner.argo.types import ArgoVersion
from rollout_runner.lint import RULES, Finding, Severity, lint
from rollout_runner.lint.junit import render_junit
from rollout_runner.lint.render import explain, render_json, render_markdown, render_text
from rollout_runner.lint.sarif import render_sarif
from rollout_runner.manifests.origins import read_origins
from rollout_runner.manifests.render import kustomization_folder, read_sources
from svckit.asgi import distribution_version
from svckit.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class LintFormat(StrEnum):
    """Forms in which findings are written."""

    TEXT = "text"
    JSON = "json"
    JUNIT = "junit"
    SARIF = "sarif"
    MARKDOWN = "markdown"


@dataclass(frozen=True, slots=True, kw_only=True)
class LintRequest:
    """What to look at and what for."""

    paths: tuple[Path, ...]
    version: ArgoVersion
    codes: tuple[str, ...]


def chosen_codes(select: Sequence[str], ignore: Sequence[str]) -> tuple[str, ...]:
    """Return the rules that --select and --ignore leave; `GL4` stands for all that begin so.

    Raises:
        InvalidInput: a code is none.
    """
    selected = _matching(select, "--select") or set(RULES)
    return tuple(code for code in RULES if code in selected - _matching(ignore, "--ignore"))


def _matching(given: Iterable[str], flag: str) -> set[str]:
    found: set[str] = set()
    for each in (code.strip() for text in given for code in text.split(",")):
        matching = {code for code in RULES if each and code.startswith(each.upper())}
        if not matching:
            raise InvalidInput(
                f"{flag} {each}: there is no such rule", hint="gatelab lint --rules lists them"
            )
        found |= matching
    return found


def perform_lint(request: LintRequest) -> tuple[Finding, ...]:
    """Read and look.

    Files are taken together, as one `kubectl apply` would; each folder or kustomization is by
    itself. A Component is looked at as it is written: kustomize renders it only inside of another
    kustomization.

    Raises:
        InvalidInput: a path cannot be read, is not YAML, or kustomize refuses it.
    """
    files = [path for path in request.paths if kustomization_folder(path) is None]
    files = [path for path in files if not path.is_dir()]
    found: list[Finding] = []
    if files:
        sources = tuple(source for path in files for source in read_sources(path))
        found += lint(sources, version=request.version, codes=request.codes)
    for path in request.paths:
        folder = kustomization_folder(path)
        if folder is not None or path.is_dir():
            origins = None if folder is None else read_origins(folder)
            component = origins is not None and origins.component
            sources = origins.resources if origins and component else read_sources(path)
            found += lint(
                sources,
                version=request.version,
                codes=request.codes,
                origins=None if component else origins,
            )
    return tuple(sorted(set(found), key=lambda each: each.order))


def render_findings(
    findings: Sequence[Finding], form: LintFormat, request: LintRequest, threshold: Severity
) -> str:
    """Return the findings in a form."""
    applied = {code: RULES[code] for code in request.codes}
    match form:
        case LintFormat.TEXT:
            return render_text(findings)
        case LintFormat.JSON:
            return render_json(findings, version=request.version)
        case LintFormat.MARKDOWN:
            return render_markdown(findings)
        case LintFormat.JUNIT:
            return render_junit(findings, applied, threshold=threshold)
        case LintFormat.SARIF:
            return render_sarif(
                findings,
                applied,
                version=request.version,
                program_version=distribution_version(),
            )


def explain_code(code: str) -> str:
    """Return what there is to say of a rule.

    Raises:
        NotFound: there is no such rule.
    """
    found = RULES.get(code.upper())
    if found is None:
        raise NotFound(f"there is no rule {code!r}", hint="gatelab lint --rules lists them")
    return explain(found)

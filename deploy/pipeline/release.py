#!/usr/bin/env python3
"""What the pipeline does to the repository: name a build, deploy, promote, roll back, report.

Git is the record of what runs where: each environment's `overlays/ENV/kustomization.yaml` names one
tag for all images, and every change of it is a commit of its own. This program makes those changes
and nothing else; Argo CD carries them out. It needs Python 3.11, git, and no package.

    release.py tag                                # 9f2c1ab-20260204015120
    release.py set-image dev 9f2c1ab-20260204015120 --commit
    release.py promote dev qa --commit
    release.py rollback qa --commit               # to the tag before
    release.py report qa --rollouts rollouts.json --runs runs.json
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

NEXT = {"dev": "qa", "qa": "staging"}
ENVIRONMENTS = (*NEXT, "staging")
TAG = re.compile(r"[0-9a-f]{7}-\d{14}")
_NEW_TAG = re.compile(r"^(\s+newTag: )(\S+)$", re.MULTILINE)


class RefusedError(Exception):
    """Something that the pipeline must not do; the text says what and why."""


class Repository:
    """A checkout whose overlays are read and changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def git(self, *arguments: str) -> str:
        """Run git and return what it printed."""
        command = ["git", "-C", str(self.folder), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RefusedError(f"git {arguments[0]} failed: {done.stderr.strip()}")
        return done.stdout.strip()

    def path(self, environment: str) -> Path:
        """Return the file that names an environment's tag."""
        if environment not in ENVIRONMENTS:
            raise RefusedError(
                f"there is no environment {environment!r}; {', '.join(ENVIRONMENTS)}"
            )
        return self.folder / "deploy" / "overlays" / environment / "kustomization.yaml"

    def tag(self, environment: str) -> str:
        """Return the tag that an environment runs."""
        return tag_of(self.path(environment).read_text(encoding="utf-8"), environment)

    def set_tag(self, environment: str, tag: str) -> bool:
        """Name another tag; tell whether that changed anything."""
        if not TAG.fullmatch(tag):
            raise RefusedError(f"{tag!r} is no build's tag; expected <sha7>-<YYYYMMDDHHMMSS>")
        path = self.path(environment)
        before = path.read_text(encoding="utf-8")
        tag_of(before, environment)
        path.write_text(_NEW_TAG.sub(rf"\g<1>{tag}", before), encoding="utf-8")
        return path.read_text(encoding="utf-8") != before

    def earlier_tags(self, environment: str) -> list[str]:
        """Return the tags that an environment ran before the present one, the latest first."""
        name = str(self.path(environment).relative_to(self.folder))
        tags: list[str] = []
        for commit in self.git("log", "--format=%H", "--", name).splitlines():
            tag = tag_of(self.git("show", f"{commit}:{name}"), environment)
            if tag not in tags:
                tags.append(tag)
        present = self.tag(environment)
        return [each for each in tags if each != present]

    def commit(self, environment: str, message: str) -> None:
        """Commit the environment's file alone."""
        self.git("commit", "--quiet", "--message", message, "--", str(self.path(environment)))


def tag_of(text: str, environment: str) -> str:
    """Return the one tag that all images of a kustomization have."""
    tags = {found[2] for found in _NEW_TAG.finditer(text)}
    if len(tags) != 1:
        raise RefusedError(
            f"{environment}: expected one newTag for all images, found {sorted(tags)}"
        )
    return tags.pop()


def build_tag(repository: Repository, commit: str, at: str | None) -> str:
    """Return the tag of a build: seven digits of the commit and the second it was made, in UTC."""
    sha = repository.git("rev-parse", "--verify", f"{commit}^{{commit}}")[:7]
    if at:
        moment = datetime.fromisoformat(at).astimezone(UTC)
    elif epoch := os.environ.get("SOURCE_DATE_EPOCH"):
        moment = datetime.fromtimestamp(int(epoch), UTC)
    else:
        moment = datetime.now(UTC)
    return f"{sha}-{moment:%Y%m%d%H%M%S}"


def deploy(repository: Repository, environment: str, tag: str, *, commit: bool) -> str:
    """Let an environment run a tag; return what was done, in one line."""
    before = repository.tag(environment)
    if not repository.set_tag(environment, tag):
        return f"{environment} runs {tag} already; nothing to deploy"
    if commit:
        repository.commit(environment, f"Deploy {tag} to {environment}\n\nPrevious: {before}")
    return f"{environment}: {before} -> {tag}"


def promote(repository: Repository, source: str, target: str, *, commit: bool) -> str:
    """Let an environment run what the one before it runs."""
    if NEXT.get(source) != target:
        raise RefusedError(f"{source} is not promoted to {target}; the order is dev, qa, staging")
    return deploy(repository, target, repository.tag(source), commit=commit)


def rollback(repository: Repository, environment: str, to: str | None, *, commit: bool) -> str:
    """Let an environment run an earlier tag: the one before, or one that it ran once.

    In git, because Argo CD heals an `undo` in the cluster back to what git says.
    """
    earlier = repository.earlier_tags(environment)
    if not earlier:
        raise RefusedError(f"{environment} has run nothing else; there is nothing to go back to")
    if to is not None and to not in earlier:
        raise RefusedError(f"{environment} has never run {to}; it ran {', '.join(earlier[:5])}")
    tag, before = to or earlier[0], repository.tag(environment)
    repository.set_tag(environment, tag)
    if commit:
        repository.commit(environment, f"Roll {environment} back to {tag}\n\nPrevious: {before}")
    return f"{environment}: {before} -> {tag} (rollback)"


def report(repository: Repository, environment: str, rollouts: Path, runs: Path) -> str:
    """Return the report of a deployment: what runs, how it got there, every measurement.

    Both files are lists as `kubectl get rollouts,analysisruns -o json` writes them.
    """
    lines = [
        f"# Deployment to {environment}: {repository.tag(environment)}",
        "",
        "| Rollout | Phase | Step | Stable | Current | Message |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    hashes = set()
    for each in _items(rollouts):
        status = each.get("status", {})
        steps = each["spec"]["strategy"].get("canary", {}).get("steps", [])
        step = f"{status.get('currentStepIndex', 0)}/{len(steps)}" if steps else "-"
        hashes.add(status.get("currentPodHash"))
        cells = [each["metadata"]["name"], status.get("phase"), step, status.get("stableRS")]
        cells += [status.get("currentPodHash"), status.get("message")]
        lines.append(_row(cells))
    found = sorted(
        (each for each in _items(runs) if _hash(each) in hashes),
        key=lambda each: each["metadata"].get("creationTimestamp", ""),
    )
    lines += ["", "## Analyses", ""]
    if not found:
        lines.append("None: the strategy has no analysis, or it has not begun.")
    for each in found:
        status = each.get("status", {})
        lines += [f"### {each['metadata']['name']}: {status.get('phase', 'Pending')}", ""]
        if status.get("message"):
            lines += [status["message"], ""]
        lines += [
            "| Metric | Phase | Value | Started | Finished |",
            "| --- | --- | --- | --- | --- |",
        ]
        for result in status.get("metricResults", []):
            for seen in result.get("measurements", []):
                cells = [
                    result["name"],
                    seen.get("phase"),
                    seen.get("value") or seen.get("message"),
                ]
                lines.append(_row([*cells, seen.get("startedAt"), seen.get("finishedAt")]))
        lines.append("")
    lines += ["## Earlier tags", ""]
    lines += [f"- {tag}" for tag in repository.earlier_tags(environment)[:5]] or ["None."]
    return "\n".join(lines) + "\n"


def _items(path: Path) -> list[dict[str, Any]]:
    document = json.loads(path.read_text(encoding="utf-8"))
    return document["items"] if document.get("kind", "").endswith("List") else [document]


def _hash(run: dict[str, Any]) -> str | None:
    found: str | None = run["metadata"].get("labels", {}).get("rollouts-pod-template-hash")
    return found


def _row(cells: list[object]) -> str:
    texts = ("-" if each in {None, ""} else str(each) for each in cells)
    return "| " + " | ".join(" ".join(each.split()).replace("|", "\\|") for each in texts) + " |"


def arguments() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repository", type=Path, default=Path.cwd(), help="checkout [here]")
    commands = parser.add_subparsers(dest="command", required=True)
    tag = commands.add_parser("tag", help="print the tag of a build")
    tag.add_argument("--revision", default="HEAD", help="what is built [HEAD]")
    tag.add_argument("--at", help="RFC 3339 time [SOURCE_DATE_EPOCH, else now]")
    setter = commands.add_parser("set-image", help="let an environment run a tag")
    setter.add_argument("environment")
    setter.add_argument("tag")
    promoter = commands.add_parser("promote", help="let an environment run what another one runs")
    promoter.add_argument("source")
    promoter.add_argument("target")
    roller = commands.add_parser("rollback", help="let an environment run an earlier tag")
    roller.add_argument("environment")
    roller.add_argument("--to", help="a tag that it ran [the one before]")
    for each in (setter, promoter, roller):
        each.add_argument("--commit", action="store_true", help="commit the change")
    reporter = commands.add_parser("report", help="write the report of a deployment as Markdown")
    reporter.add_argument("environment")
    reporter.add_argument("--rollouts", type=Path, required=True, help="kubectl's JSON")
    reporter.add_argument("--runs", type=Path, required=True, help="kubectl's JSON")
    commands.add_parser("show", help="print what every environment runs")
    return parser


def run(options: argparse.Namespace) -> str:
    """Carry out one command and return its text."""
    repository = Repository(options.repository)
    match options.command:
        case "tag":
            return build_tag(repository, options.revision, options.at)
        case "set-image":
            return deploy(repository, options.environment, options.tag, commit=options.commit)
        case "promote":
            return promote(repository, options.source, options.target, commit=options.commit)
        case "rollback":
            return rollback(repository, options.environment, options.to, commit=options.commit)
        case "report":
            return report(repository, options.environment, options.rollouts, options.runs)
    return "\n".join(f"{each} {repository.tag(each)}" for each in ENVIRONMENTS)


def main() -> int:
    """Return 0, or 2 with one line that says what was refused."""
    try:
        print(run(arguments().parse_args()).rstrip("\n"))
    except (RefusedError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

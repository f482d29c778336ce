"""GL7xx: jobs, and the scripts in them that make a pass of no data."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from rollout_runner.argo.types import ArgoVersion
from rollout_runner.lint.arguments import TAG, Origin, tags_in
from rollout_runner.lint.finding import Severity
from rollout_runner.lint.objects import dig, entries, mapping, text_of, texts
from rollout_runner.lint.rule import Example, Hit, canary, metrics, rule, template
from rollout_runner.lint.shell import Script, scripts_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rollout_runner.lint.world import MetricAt, World
    from rollout_runner.manifests.documents import Path

_POD: Final[Path] = ("template", "spec")
_ZERO: Final = r"""["']?(?!000\b)(0+(\.0+)?|ok|healthy|pass(ed)?|true|success(ful)?)["']?"""
_OR_ECHO: Final = re.compile(
    rf"\|\|\s*(echo|printf)\s+(-n\s+)?{_ZERO}\s*(\)|$|;|\||\}}|`|>)", re.IGNORECASE
)
_OR_TRUE: Final = re.compile(r"\|\|\s*(true|:|/bin/true)\s*(\)|$|;|\||\}|`)")
_DEFAULT: Final = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*:?[-=]" + _ZERO + r"\}", re.IGNORECASE)
_JQ_DEFAULT: Final = re.compile(r"""\bjq\b.*//\s*["']?(0+(\.0+)?|true|ok|pass|empty)\b""")
_AWK_SUM: Final = re.compile(
    r"\bawk\b.*\bprint(f\s*\(?\s*\"[^\"]*\"\s*,)?\s*\(?\s*[A-Za-z_]\w*\s*\+\s*0"
)
_AWK_VARIABLE: Final = re.compile(r"""-v\s+\w+=["']?\$\{?([A-Za-z_]\w*)\}?["']?""")
_CURL: Final = re.compile(r"(^|[\s(`|;&])curl\s")
_CURL_FAILS: Final = re.compile(r"\s(-[a-zA-Z]*f[a-zA-Z]*|--fail(-with-body)?)(\s|$)")
_CURL_STATUS: Final = re.compile(r"%\{(http_code|response_code)\}")
_CURL_PIPE: Final = re.compile(r"(^|[\s(`;&])(curl|wget)\b[^|]*[^|]\|(?!\|)")
_OR_EXIT_0: Final = re.compile(r"\|\|\s*(\{[^}]*)?\bexit\s+0\b")
_EMPTY_TEST: Final = re.compile(
    r"""\[\[?\s+(-z\s|!\s+-n\s|["']?\$\{?\w+\}?["']?\s*=?=\s*["']{2})"""
)
_PYTHON_DEFAULT: Final = re.compile(
    r"""\.get\(\s*["'][^"']+["']\s*,\s*(0(\.0+)?|True|["'](ok|pass|healthy)["'])\s*\)"""
)
_EXIT_BAD: Final = re.compile(r"\b(exit|return)\s+([1-9]|\$)|\bfalse\b")
_ALWAYS_GOOD: Final = re.compile(r"^(exit\s+0|echo\b.*|printf\b.*|true|:)$")
_LATEST: Final = re.compile(r"(^|/)[^/:@]+(:latest)?$")


def _jobs(world: World) -> Iterator[tuple[MetricAt, dict[str, Any]]]:
    for each in world.metrics:
        spec = mapping(mapping(each.raw.get("provider")).get("job")).get("spec")
        if isinstance(spec, dict):
            yield each, spec


def _scripts(world: World) -> Iterator[tuple[MetricAt, Script]]:
    seen: set[tuple[int, Path]] = set()
    for each, spec in _jobs(world):
        path = each.at("provider", "job", "spec", *_POD)
        for script in scripts_of(dig(spec, *_POD), path):
            if (id(each.owner), script.path) not in seen:
                seen.add((id(each.owner), script.path))
                yield each, script


def _found(world: World, pattern: re.Pattern[str], reason: str) -> Iterator[Hit]:
    for each, script in _scripts(world):
        for line, match in script.finds(pattern):
            yield _at(each, script, line, f"`{match[0].strip()}` {reason}")


def _at(each: MetricAt, script: Script, line: int, reason: str) -> Hit:
    return Hit(item=each.owner, path=script.path, reason=reason, text_line=line)


def _job(
    script: str, *, spec: str = "", pod: str = "restartPolicy: Never", image: str = ""
) -> Example:
    lines = "\n".join(f"                    {line}" for line in script.strip().splitlines())
    settings = spec or "backoffLimit: 0\n            activeDeadlineSeconds: 60"
    return metrics(
        f"""
    - name: check
      provider:
        job:
          spec:
            {settings}
            template:
              spec:
                {pod}
                containers:
                - name: check
                  image: {image or "registry.example/tools:1.2"}
                  command: [/bin/sh, -c]
                  args:
                  - |
{lines}
    """
    )


_GOOD: Final = """
set -eu
rate=$(curl -fsS https://apm.example/v1/rate)
[ "$rate" -lt 5 ]
"""


@rule(
    "GL701",
    Severity.ERROR,
    "job without a restart policy that jobs may have",
    why="""A Job's pod needs `restartPolicy: Never` or `OnFailure`. Without it Kubernetes refuses
    the Job: every measurement is an Error, and the rollout aborts after about 40 s.""",
    fix="set `restartPolicy: Never`",
    bad=_job(_GOOD, pod="terminationGracePeriodSeconds: 5"),
    good=_job(_GOOD),
)
def restart_policy(world: World) -> Iterator[Hit]:
    """Pods of jobs that would be restarted for ever."""
    for each, spec in _jobs(world):
        policy = text_of(dig(spec, *_POD, "restartPolicy"))
        if policy not in {"Never", "OnFailure"}:
            yield Hit(
                item=each.owner,
                path=each.at("provider", "job", "spec", *_POD, "restartPolicy"),
                reason=f"restartPolicy is {policy or 'not set'}; Kubernetes refuses such a Job",
            )


@rule(
    "GL702",
    Severity.WARNING,
    "job that tries again and again",
    why="""Without backoffLimit a Job tries seven times, with growing pauses: a real failure is
    known after about ten minutes, in which the canary keeps its traffic. Trying again is what
    count and failureLimit are for.""",
    fix="set `backoffLimit: 0`",
    bad=_job(_GOOD, spec="activeDeadlineSeconds: 60"),
    good=_job(_GOOD),
)
def backoff(world: World) -> Iterator[Hit]:
    """Jobs with more than one further try."""
    for each, spec in _jobs(world):
        limit = spec.get("backoffLimit")
        if limit is None or (isinstance(limit, int) and limit > 1):
            yield Hit(
                item=each.owner,
                path=each.at("provider", "job", "spec", "backoffLimit"),
                reason=f"backoffLimit is {'not set, so it is 6' if limit is None else limit}",
            )


@rule(
    "GL703",
    Severity.WARNING,
    "job without a deadline",
    why="""A job that hangs keeps its measurement running for ever: there is no timeout of the
    measurement, so the rollout stands at its weight.""",
    fix="set `activeDeadlineSeconds`",
    bad=_job(_GOOD, spec="backoffLimit: 0"),
    good=_job(_GOOD),
)
def no_deadline(world: World) -> Iterator[Hit]:
    """Jobs that may run for ever."""
    for each, spec in _jobs(world):
        pod = dig(spec, *_POD, "activeDeadlineSeconds")
        if spec.get("activeDeadlineSeconds") is None and pod is None:
            yield Hit(
                item=each.owner,
                path=each.at("provider", "job", "spec"),
                reason="nothing ends a job that hangs",
            )


@rule(
    "GL704",
    Severity.ERROR,
    "script that reads a failure as a good value",
    why="""`|| echo 0` gives 0 where the command before it failed: the source is down, the answer
    is an error page, the key is wrong, the field is called differently. All of them read as "0 %
    errors", and the bad release goes live.""",
    fix="exit with another code than 0 when there is no value",
    bad=_job("""
set -eu
body=$(curl -fsS https://apm.example/v1/rate)
rate=$(echo "$body" | grep -oE '[0-9]+' || echo "0")
[ "$rate" -lt 5 ]
"""),
    good=_job("""
set -eu
body=$(curl -fsS https://apm.example/v1/rate)
rate=$(echo "$body" | grep -oE '[0-9]+') || { echo "no rate in: $body" >&2; exit 2; }
[ "$rate" -lt 5 ]
"""),
)
def or_echo(world: World) -> Iterator[Hit]:
    """Fallbacks to a good value."""
    yield from _found(world, _OR_ECHO, "gives a good value where the command before it failed")


@rule(
    "GL705",
    Severity.ERROR,
    "script that hides a failure",
    why="`|| true` makes a success of whatever failed before it, under `set -e` as well.",
    fix="let the command fail, or handle the failure",
    bad=_job("""
set -eu
curl -fsS https://apm.example/v1/check || true
"""),
    good=_job("""
set -eu
curl -fsS https://apm.example/v1/check
"""),
)
def or_true(world: World) -> Iterator[Hit]:
    """Failures that are swallowed."""
    yield from _found(world, _OR_TRUE, "makes a success of a failure")


@rule(
    "GL706",
    Severity.ERROR,
    "variable that defaults to a good value",
    why="`${RATE:-0}` is 0 where RATE is empty, which it is when nothing was measured.",
    fix="use `${RATE:?no rate}`, which stops the script",
    bad=_job("""
set -eu
rate=$(curl -fsS https://apm.example/v1/rate)
[ "${rate:-0}" -lt 5 ]
"""),
    good=_job("""
set -eu
rate=$(curl -fsS https://apm.example/v1/rate)
[ "${rate:?no rate}" -lt 5 ]
"""),
)
def default_value(world: World) -> Iterator[Hit]:
    """Parameter expansions with a good default."""
    yield from _found(world, _DEFAULT, "is a good value where nothing was measured")


@rule(
    "GL707",
    Severity.ERROR,
    "jq that defaults to a good value",
    why="""`.errorRate // 0` is 0 where the field is missing, null or false: an error document has
    no such field, and reads as a healthy canary.""",
    fix="use `jq -e .errorRate`, which fails on null, and check that it is a number",
    bad=_job("""
set -eu
body=$(curl -fsS https://apm.example/v1/rate)
rate=$(echo "$body" | jq '.errorRate // 0')
[ "$rate" -lt 5 ]
"""),
    good=_job("""
set -eu
body=$(curl -fsS https://apm.example/v1/rate)
rate=$(echo "$body" | jq -e '.errorRate | numbers')
[ "$rate" -lt 5 ]
"""),
)
def jq_default(world: World) -> Iterator[Hit]:
    """Alternatives in jq."""
    yield from _found(world, _JQ_DEFAULT, "is a good value where the field is missing")


@rule(
    "GL708",
    Severity.WARNING,
    "awk that reads text as 0",
    why="""To awk an empty text is 0 and `2%` is compared as text: a rate of nothing is below
    every threshold. The value is not checked before it is compared.""",
    fix="check that the value is a number first, and exit with another code than 0 if it is none",
    bad=_job("""
set -eu
rate=$(curl -fsS https://apm.example/v1/rate)
awk -v rate="$rate" 'BEGIN { exit !(rate < 5) }'
"""),
    good=_job("""
set -eu
rate=$(curl -fsS https://apm.example/v1/rate)
case "$rate" in '' | *[!0-9.]*) echo "no rate: $rate" >&2; exit 2 ;; esac
awk -v rate="$rate" 'BEGIN { exit !(rate + 0 < 5) }'
"""),
)
def awk_zero(world: World) -> Iterator[Hit]:
    """Values that awk is given unchecked, and sums that are 0 without input."""
    for each, script in _scripts(world):
        for line, match in script.finds(_AWK_SUM):
            yield _at(each, script, line, f"`{match[0].strip()}` is 0 without any input")
        for line, match in script.finds(_AWK_VARIABLE):
            earlier = script.lines[: line - 1]
            # A threshold from the manifest is no measurement.
            if not _is_checked(match[1], earlier) and _is_measured(match[1], earlier):
                yield _at(each, script, line, f"${match[1]} may be empty, which awk reads as 0")


def _is_checked(name: str, lines: list[str]) -> bool:
    """Whether a variable is tested somewhere before."""
    used = re.compile(rf"""["']?\$\{{?{name}\b""")
    test = re.compile(r"\bcase\b|\bif\b|\[\[?\s|\btest\b|\|\||\bgrep\s+-[a-zA-Z]*[qx]")
    return any(used.search(line) and test.search(line) for line in lines)


def _is_measured(name: str, lines: list[str]) -> bool:
    """Whether a variable gets its value from a command."""
    assigned = re.compile(rf"\b{name}=[\"']?(\$\(|`)")
    return any(assigned.search(line) for line in lines)


@rule(
    "GL709",
    Severity.WARNING,
    "script that goes on after an error",
    why="""Without `set -e` a failing command is passed over, and the exit code of the script is
    that of its last command: what failed in between is not seen.""",
    fix="begin the script with `set -eu`",
    bad=_job("""
rate=$(curl -fsS https://apm.example/v1/rate)
[ "$rate" -lt 5 ]
"""),
    good=_job(_GOOD),
)
def no_set_e(world: World) -> Iterator[Hit]:
    """Scripts of several commands without errexit."""
    for each, script in _scripts(world):
        if len(script.commands) > 1 and not script.stops_on_error:
            yield _at(each, script, 1, "an error in the middle is passed over")


@rule(
    "GL710",
    Severity.ERROR,
    "curl that takes an error page for an answer",
    why="""Without `-f` curl ends with 0 whatever the status is: 401, 404 and 503 are answers like
    any other, and their text goes on to be parsed.""",
    fix="use `curl -fsS`, or check `%{http_code}`",
    bad=_job("""
set -eu
rate=$(curl -s https://apm.example/v1/rate)
[ "$rate" -lt 5 ]
"""),
    good=_job(_GOOD),
)
def curl_without_f(world: World) -> Iterator[Hit]:
    """Calls of curl that do not look at the status."""
    for each, script in _scripts(world):
        for line, command in script.commands:
            call = _CURL.search(command)
            if call and not _CURL_FAILS.search(command) and not _CURL_STATUS.search(command):
                yield _at(each, script, line, "a 404 or 503 is taken for an answer")


@rule(
    "GL711",
    Severity.WARNING,
    "failure lost in a pipe",
    why="""The exit code of a pipe is that of its last command. A curl that fails on the left of
    `|` is not seen without `pipefail`, and what follows works on nothing.""",
    fix="`set -o pipefail` (bash), or take the answer into a variable first",
    bad=_job("""
set -eu
rate=$(curl -fsS https://apm.example/v1/rate | tr -d '"')
[ "$rate" -lt 5 ]
"""),
    good=_job("""
set -eu
body=$(curl -fsS https://apm.example/v1/rate)
rate=$(echo "$body" | tr -d '"')
[ "$rate" -lt 5 ]
"""),
)
def lost_in_pipe(world: World) -> Iterator[Hit]:
    """Requests on the left of a pipe."""
    for each, script in _scripts(world):
        for line, command in () if script.sees_pipes else script.commands:
            match = _CURL_PIPE.search(command)
            if match:
                yield _at(each, script, line, f"the exit code of `{match[2]}` is not seen")


@rule(
    "GL712",
    Severity.ERROR,
    "script that passes where it has no data",
    why="The script notices that something is wrong, and ends with 0: to Argo that is a pass.",
    fix="end with another code than 0",
    bad=_job("""
set -eu
rate=$(curl -fsS https://apm.example/v1/rate)
if [ -z "$rate" ]; then
  echo "no data yet"
  exit 0
fi
[ "$rate" -lt 5 ]
"""),
    good=_job("""
set -eu
rate=$(curl -fsS https://apm.example/v1/rate)
if [ -z "$rate" ]; then
  echo "no data yet"
  exit 2
fi
[ "$rate" -lt 5 ]
"""),
)
def passes_on_error(world: World) -> Iterator[Hit]:
    """Branches of failure that end with 0, and scripts that cannot end otherwise."""
    for each, script in _scripts(world):
        for line, match in script.finds(_OR_EXIT_0):
            yield _at(each, script, line, f"`{match[0].strip()}` passes after a failure")
        lines = script.lines
        for line, _ in script.finds(_EMPTY_TEST):
            for offset, text in enumerate(lines[line - 1 : line + 5]):
                if offset and re.match(r"\s*(fi|else|elif)\b", text):
                    break
                if re.search(r"\bexit\s+0\b", text):
                    yield _at(each, script, line + offset, "`exit 0` passes where there is no data")
                    break
        commands = [command for _, command in script.commands]
        blind = commands and _ALWAYS_GOOD.match(commands[-1]) and not script.stops_on_error
        if blind and not any(_EXIT_BAD.search(command) for command in commands):
            yield _at(each, script, 1, "no path through the script ends with another code than 0")


@rule(
    "GL713",
    Severity.ERROR,
    "program that defaults to a good value",
    why="""`.get("errorRate", 0)` is 0 for every document without the field, such as an error.""",
    fix="read the field by its name, so that a missing one is an exception",
    bad=metrics("""
    - name: check
      provider:
        job:
          spec:
            backoffLimit: 0
            activeDeadlineSeconds: 60
            template:
              spec:
                restartPolicy: Never
                containers:
                - name: check
                  image: registry.example/python:3.13
                  command: [python3, -c]
                  args:
                  - |
                    import json, sys, urllib.request
                    body = json.load(urllib.request.urlopen("https://apm.example/v1/rate"))
                    sys.exit(body.get("errorRate", 0) >= 2)
    """),
    good=metrics("""
    - name: check
      provider:
        job:
          spec:
            backoffLimit: 0
            activeDeadlineSeconds: 60
            template:
              spec:
                restartPolicy: Never
                containers:
                - name: check
                  image: registry.example/python:3.13
                  command: [python3, -c]
                  args:
                  - |
                    import json, sys, urllib.request
                    body = json.load(urllib.request.urlopen("https://apm.example/v1/rate"))
                    sys.exit(not body["errorRate"] < 2)
    """),
)
def python_default(world: World) -> Iterator[Hit]:
    """Defaults in the programs of a job."""
    for each, spec in _jobs(world):
        path = each.at("provider", "job", "spec", *_POD)
        for where, text in texts(dig(spec, *_POD), path):
            for number, line in enumerate(text.splitlines(), start=1):
                match = _PYTHON_DEFAULT.search(line)
                if match:
                    yield Hit(
                        item=each.owner,
                        path=where,
                        reason=f"`{match[0]}` is a good value where the field is missing",
                        text_line=number,
                    )


@rule(
    "GL714",
    Severity.WARNING,
    "image of a job without a fixed version",
    why="""`latest`, or no tag, is another program tomorrow. A gate that changes between two
    releases tells nothing of either.""",
    fix="name a version, best a digest",
    bad=_job(_GOOD, image="curlimages/curl:latest"),
    good=_job(_GOOD, image="curlimages/curl:8.11.1"),
)
def floating_image(world: World) -> Iterator[Hit]:
    """Images of jobs with the tag latest or none."""
    for each, spec in _jobs(world):
        pod = dig(spec, *_POD)
        for field in ("initContainers", "containers"):
            for index, container in entries(mapping(pod).get(field)):
                image = container.get("image")
                if isinstance(image, str) and is_floating(image):
                    yield Hit(
                        item=each.owner,
                        path=each.at("provider", "job", "spec", *_POD, field, index, "image"),
                        reason=f"{image} is whatever was pushed last",
                    )


def is_floating(image: str) -> bool:
    """Whether an image has no version of its own."""
    return "{{" not in image and _LATEST.search(image) is not None


@rule(
    "GL715",
    Severity.WARNING,
    "argument pasted into a script",
    why="""`{{args.…}}` is replaced in the text of the script: a value with a quote, a `$` or a
    `;` in it is run as a command, in a pod of the cluster.""",
    fix="hand it over as an environment variable, in the `env` of the container",
    bad=template("""
    args: [{name: app, value: vote}]
    metrics:
      - name: check
        provider:
          job:
            spec:
              backoffLimit: 0
              activeDeadlineSeconds: 60
              template:
                spec:
                  restartPolicy: Never
                  containers:
                  - name: check
                    image: registry.example/tools:1.2
                    command: [/bin/sh, -c]
                    args: ["curl -fsS https://apm.example/v1/check?app={{args.app}}"]
    """),
    good=template("""
    args: [{name: app, value: vote}]
    metrics:
      - name: check
        provider:
          job:
            spec:
              backoffLimit: 0
              activeDeadlineSeconds: 60
              template:
                spec:
                  restartPolicy: Never
                  containers:
                  - name: check
                    image: registry.example/tools:1.2
                    command: [/bin/sh, -c]
                    args: ['curl -fsS "https://apm.example/v1/check?app=$APP"']
                    env: [{name: APP, value: "{{args.app}}"}]
    """),
)
def pasted(world: World) -> Iterator[Hit]:
    """Tags inside of scripts."""
    for each, script in _scripts(world):
        for line, match in script.finds(TAG):
            yield _at(each, script, line, f"`{match[0]}` becomes part of the script")


@rule(
    "GL716",
    Severity.WARNING,
    "secret written into a Job",
    why="""The value of the argument stands in the Job's spec, for everybody to read who may list
    Jobs, and stays there as long as the Job does.""",
    fix="let the container take it from the Secret: `env: [{valueFrom: {secretKeyRef: …}}]`",
    bad=template("""
    args: [{name: key, valueFrom: {secretKeyRef: {name: apm, key: key}}}]
    metrics:
      - name: check
        provider:
          job:
            spec:
              backoffLimit: 0
              activeDeadlineSeconds: 60
              template:
                spec:
                  restartPolicy: Never
                  containers:
                  - name: check
                    image: registry.example/check:1.2
                    env: [{name: KEY, value: "{{args.key}}"}]
    """),
    good=template("""
    metrics:
      - name: check
        provider:
          job:
            spec:
              backoffLimit: 0
              activeDeadlineSeconds: 60
              template:
                spec:
                  restartPolicy: Never
                  containers:
                  - name: check
                    image: registry.example/check:1.2
                    env: [{name: KEY, valueFrom: {secretKeyRef: {name: apm, key: key}}}]
    """),
)
def secret_in_job(world: World) -> Iterator[Hit]:
    """Secret arguments anywhere in a job."""
    for each, spec in _jobs(world):
        for path, text in texts(spec, each.at("provider", "job", "spec")):
            for tag in tags_in(text):
                given = each.given.get(tag.removeprefix("args."))
                if given is not None and given.origin is Origin.SECRET:
                    yield Hit(item=each.owner, path=path, reason=f"{tag} is a Secret's value")


@rule(
    "GL717",
    Severity.WARNING,
    "job in the background that passes when it is cut off",
    why="""Up to Argo Rollouts 1.9 a job that is running when its analysis is terminated counts as
    Successful (1.10: Inconclusive). In the background that is how the analysis always ends.""",
    fix="use a web provider in the background, or Argo Rollouts 1.10",
    bad=canary(
        """
    canaryService: vote-canary
    stableService: vote
    trafficRouting: {nginx: {stableIngress: vote}}
    analysis: {startingStep: 1, templates: [{templateName: watch}]}
    steps:
      - setWeight: 20
      - pause: {duration: 10m}
    """,
        """
    apiVersion: argoproj.io/v1alpha1
    kind: AnalysisTemplate
    metadata: {name: watch}
    spec:
      metrics:
        - name: check
          interval: 1m
          provider:
            job:
              spec:
                backoffLimit: 0
                activeDeadlineSeconds: 60
                template:
                  spec:
                    restartPolicy: Never
                    containers: [{name: check, image: "registry.example/check:1.2"}]
    """,
    ),
    good=canary(
        """
    canaryService: vote-canary
    stableService: vote
    trafficRouting: {nginx: {stableIngress: vote}}
    analysis: {startingStep: 1, templates: [{templateName: watch}]}
    steps:
      - setWeight: 20
      - pause: {duration: 10m}
    """,
        """
    apiVersion: argoproj.io/v1alpha1
    kind: AnalysisTemplate
    metadata: {name: watch}
    spec:
      metrics:
        - name: check
          interval: 1m
          successCondition: result.verdict == "pass"
          provider: {web: {url: https://analyzer.example/v1/analysis}}
    """,
    ),
)
def job_in_background(world: World) -> Iterator[Hit]:
    """Jobs of background analyses, for the versions that let them pass."""
    if world.version is ArgoVersion.V1_10:
        return
    for each, _ in _jobs(world):
        if each.use is not None and each.use.role == "background":
            yield Hit(
                item=each.owner,
                path=each.at("provider", "job"),
                reason=f"cut off, it is Successful in Argo {world.version}",
            )

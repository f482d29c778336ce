"""What of a Job can be run as a process, and what is refused rather than left out."""

from __future__ import annotations

from typing import Any

import pytest

from rollout_runner.adapters.providers.job_spec import (
    JobError,
    JobPlan,
    check_name,
    expand,
    read_job,
)

SECRETS = {"apm": {"key": "s3cret", "user": "u"}}
CONFIG_MAPS = {"config": {"URL": "http://apm", "WINDOW": "5m"}}


def job(
    container: dict[str, Any] | None = None, pod: dict[str, Any] | None = None, **spec: Any
) -> dict[str, Any]:
    """Return a valid JobSpec with some fields changed."""
    one = {"name": "check", "command": ["true"]} | (container or {})
    template = {"spec": {"restartPolicy": "Never", "containers": [one]} | (pod or {})}
    return {"template": template} | spec


def read(spec: dict[str, Any]) -> JobPlan:
    """Read it with the Secrets and ConfigMaps of this test."""
    return read_job(spec, secrets=SECRETS, config_maps=CONFIG_MAPS)


def environment(*env: dict[str, Any], **container: Any) -> dict[str, str]:
    """Return the variables of a container."""
    return dict(read(job({"env": list(env), **container})).environment)


def secret(name: str, key: str, **more: Any) -> dict[str, Any]:
    """Return a reference to a Secret's key."""
    return {"secretKeyRef": {"name": name, "key": key, **more}}


def test_command_and_args_are_one_line() -> None:
    """`command` first, then `args`."""
    plan = read(job({"command": ["sh", "-c"], "args": ["exit 0", "x"]}))
    assert plan.command == ("sh", "-c", "exit 0", "x")


@pytest.mark.parametrize(
    ("fields", "attempts", "deadline"),
    [
        pytest.param({}, 7, None, id="defaults"),
        pytest.param({"backoffLimit": 0}, 1, None, id="one-try"),
        pytest.param({"backoffLimit": 2, "activeDeadlineSeconds": 60}, 3, 60.0, id="given"),
        pytest.param({"backoffLimit": None, "activeDeadlineSeconds": None}, 7, None, id="null"),
    ],
)
def test_limits(fields: dict[str, Any], attempts: int, deadline: float | None) -> None:
    """`backoffLimit` counts the tries after the first; 6 as in Kubernetes."""
    plan = read(job(**fields))
    assert (plan.attempts, plan.deadline_seconds) == (attempts, deadline)


@pytest.mark.parametrize("policy", ["Never", "OnFailure"])
def test_restart_policies(policy: str) -> None:
    """Both that a Job may have are run."""
    assert read(job(pod={"restartPolicy": policy})).attempts == 7


def test_variables_come_from_everywhere() -> None:
    """A value, a Secret, a ConfigMap; later ones may use earlier ones."""
    assert environment(
        {"name": "A", "value": "1"},
        {"name": "KEY", "valueFrom": secret("apm", "key")},
        {"name": "URL", "valueFrom": {"configMapKeyRef": {"name": "config", "key": "URL"}}},
        {"name": "FULL", "value": "$(URL)/v1?a=$(A)&b=$(LATER)"},
        {"name": "LATER", "value": "x"},
        {"name": "EMPTY"},
        {"name": "NULL", "value": None},
    ) == {
        "A": "1",
        "KEY": "s3cret",
        "URL": "http://apm",
        "FULL": "http://apm/v1?a=1&b=$(LATER)",
        "LATER": "x",
        "EMPTY": "",
        "NULL": "",
    }


def test_a_whole_config_map_becomes_variables() -> None:
    """`envFrom` with and without prefix; `env` wins."""
    found = environment(
        {"name": "WINDOW", "value": "1m"},
        envFrom=[
            {"configMapRef": {"name": "config"}},
            {"prefix": "APM_", "secretRef": {"name": "apm"}},
            {"secretRef": {"name": "nowhere", "optional": True}},
        ],
    )
    assert found == {"URL": "http://apm", "WINDOW": "1m", "APM_key": "s3cret", "APM_user": "u"}


def test_an_optional_reference_to_nothing_is_left_out() -> None:
    """The variable is not set, rather than empty."""
    assert environment({"name": "A", "valueFrom": secret("nope", "k", optional=True)}) == {}
    assert environment({"name": "A", "valueFrom": secret("apm", "no", optional=True)}) == {}


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        pytest.param("$(A)", "1", id="name"),
        pytest.param("$(A)$(A)x", "11x", id="twice"),
        pytest.param("$A ${A}", "$A ${A}", id="the-shell's-own"),
        pytest.param("$(date +%s)", "$(date +%s)", id="a-command"),
        pytest.param("$$(A)", "$(A)", id="escaped"),
        pytest.param("pid $$", "pid $", id="two-dollars"),
        pytest.param("$(A", "$(A", id="unclosed"),
        pytest.param("$", "$", id="alone"),
        pytest.param("$(B)", "$(B)", id="unknown"),
        pytest.param("$(EMPTY)!", "!", id="empty"),
    ],
)
def test_expansion(text: str, expanded: str) -> None:
    """As Kubernetes expands references in command, args and env."""
    assert expand(text, {"A": "1", "EMPTY": ""}) == expanded


def test_command_lines_are_expanded() -> None:
    """References to the container's variables, in command and args."""
    plan = read(
        job(
            {
                "command": ["$(SHELL)"],
                "args": ["-c", "x=$(date); curl $(URL)"],
                "env": [{"name": "SHELL", "value": "sh"}, {"name": "URL", "value": "http://a"}],
            }
        )
    )
    assert plan.command == ("sh", "-c", "x=$(date); curl http://a")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        pytest.param({}, "spec.template.spec.restartPolicy: Required value", id="empty"),
        pytest.param(
            job(pod={"restartPolicy": "Always"}), "restartPolicy: Required value", id="always"
        ),
        pytest.param(job(pod={"containers": []}), "0 containers", id="no-container"),
        pytest.param(
            job(pod={"containers": [{"command": ["a"]}, {"command": ["b"]}]}),
            "2 containers",
            id="two-containers",
        ),
        pytest.param(job(pod={"initContainers": [{}]}), "initContainers", id="init"),
        pytest.param(job({"command": None}), "has no command", id="no-command"),
        pytest.param(job({"command": [], "args": ["x"]}), "has no command", id="args-only"),
        pytest.param(job({"command": ["sleep", 5]}), "command: expected a list of", id="number"),
        pytest.param(job({"command": "sleep 5"}), "command: expected a list of", id="text"),
        pytest.param(job({"args": [None]}), "args: expected a list of strings", id="null-arg"),
        pytest.param(job(completions=3), "completions other than 1", id="completions"),
        pytest.param(job(parallelism=2), "parallelism other than 1", id="parallelism"),
        pytest.param(job(parallelism=0), "parallelism other than 1", id="never"),
        pytest.param(job(suspend=True), "with suspend cannot run", id="suspended"),
        pytest.param(
            job(podFailurePolicy={"rules": [1]}), "with podFailurePolicy", id="failure-policy"
        ),
        pytest.param(job({"env": [{"value": "x"}]}), "env: name: expected", id="nameless"),
        pytest.param(
            job({"env": [{"name": "A", "value": 5}]}), "env A: value: expected", id="env-number"
        ),
        pytest.param(
            job({"env": [{"name": "A", "valueFrom": secret("apm", "nope")}]}),
            "env A: secretKeyRef apm/nope does not exist",
            id="no-key",
        ),
        pytest.param(
            job({"env": [{"name": "A", "valueFrom": secret("nope", "key")}]}),
            "env A: secretKeyRef nope does not exist",
            id="no-secret",
        ),
        pytest.param(
            job({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "apm"}}}]}),
            "env A: secretKeyRef: key: expected a string",
            id="reference-without-key",
        ),
        pytest.param(
            job({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "x"}}}]}),
            "only secretKeyRef and configMapKeyRef are known",
            id="field",
        ),
        pytest.param(
            job({"envFrom": [{"configMapRef": {"name": "nope"}}]}),
            "envFrom: configMapRef nope does not exist",
            id="no-config-map",
        ),
        pytest.param(job({"env": {"A": "1"}}), "env: expected a list of objects", id="env-map"),
        pytest.param({"template": "x"}, "template: expected an object", id="template-text"),
    ],
)
def test_what_cannot_be_run_is_refused(spec: dict[str, Any], message: str) -> None:
    """Nothing that would change the verdict is silently left out."""
    with pytest.raises(JobError) as caught:
        read(spec)
    assert message in str(caught.value)


@pytest.mark.parametrize("name", ["vote-abc-2-5.error-rate.1", "a", "0.b"])
def test_good_names(name: str) -> None:
    """Names that the API server takes."""
    check_name(name)


@pytest.mark.parametrize("name", ["vote.Error-Rate.1", "a b", "a/b", "", "-a", "a.", "a_b.1"])
def test_bad_names(name: str) -> None:
    """A metric whose name is no DNS name cannot have a Job."""
    with pytest.raises(JobError, match="RFC 1123"):
        check_name(name)

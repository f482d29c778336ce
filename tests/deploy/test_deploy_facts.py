"""The environments against the facts of the deployment report: one row, one fact.

QA's canary has a file of its own (test_deploy_qa.py); this one holds what the environments share
and what makes each of them different.
"""

from __future__ import annotations

from typing import Any

import pytest
from deploy_manifests import Documents, only, rendered

REGISTRY = "792373136340.dkr.ecr.us-west-2.amazonaws.com/opsera"
TAG = "e3e1a9b-20260204015120"
ENVIRONMENTS = ("dev", "qa", "staging")
STEPS = {
    "worker": [{"setWeight": 50}, {"pause": {"duration": "2m"}}, {"setWeight": 100}],
}


def workload(environment: str, app: str) -> dict[str, Any]:
    """Return the Rollout of an application, or its Deployment where updates are rolling."""
    kind = "Deployment" if environment == "dev" else "Rollout"
    return only(rendered(environment), kind, app)


def hosts(found: Documents) -> dict[str, str]:
    """Return host -> service of all ingresses."""
    return {
        rule["host"]: rule["http"]["paths"][0]["backend"]["service"]["name"]
        for each in found
        if each["kind"] == "Ingress"
        for rule in each["spec"]["rules"]
    }


@pytest.mark.parametrize("environment", ENVIRONMENTS)
class TestEveryEnvironment:
    """What is the same everywhere but for the environment's name."""

    def test_namespace(self, environment: str) -> None:
        """Everything lives in voting01-<env>, which brings itself, restricted."""
        namespace = only(rendered(environment), "Namespace")["metadata"]
        assert namespace["name"] == f"voting01-{environment}"
        assert namespace["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
        rest = [each for each in rendered(environment) if each["kind"] != "Namespace"]
        assert {each["metadata"]["namespace"] for each in rest} == {f"voting01-{environment}"}

    def test_replicas(self, environment: str) -> None:
        """One, two and three pods of vote; one worker anywhere."""
        wanted = {"dev": 1, "qa": 2, "staging": 3}[environment]
        assert workload(environment, "vote")["spec"]["replicas"] == wanted
        assert workload(environment, "result")["spec"]["replicas"] == wanted
        assert workload(environment, "worker")["spec"]["replicas"] == 1

    @pytest.mark.parametrize("app", ["vote", "result", "worker"])
    def test_image_and_application_name(self, environment: str, app: str) -> None:
        """The image of the report, and one of the nine application names."""
        (container,) = workload(environment, app)["spec"]["template"]["spec"]["containers"]
        env = {each["name"]: each.get("value") for each in container["env"]}
        assert container["image"] == f"{REGISTRY}/voting01-{app}:{TAG}"
        assert env["NEW_RELIC_APP_NAME"] == f"voting01-{app}-{environment}"

    @pytest.mark.parametrize("app", ["vote", "result", "worker"])
    def test_service_account(self, environment: str, app: str) -> None:
        """Each application has an account, which holds no token."""
        pod = workload(environment, app)["spec"]["template"]["spec"]
        assert pod["serviceAccountName"] == f"{app}-sa"
        account = only(rendered(environment), "ServiceAccount", f"{app}-sa")
        assert account["automountServiceAccountToken"] is False

    def test_live_urls(self, environment: str) -> None:
        """The hosts are those of the report; only staging has a preview, of vote alone."""
        domain = "agent.opsera.dev"
        expected = {
            f"vote-voting01-{environment}.{domain}": "vote",
            f"result-voting01-{environment}.{domain}": "result",
        }
        if environment == "staging":
            expected[f"vote-voting01-staging-preview.{domain}"] = "vote-preview"
        assert hosts(rendered(environment)) == expected

    def test_configuration(self, environment: str) -> None:
        """The ConfigMap says which environment it is."""
        data = only(rendered(environment), "ConfigMap", "voting01-config")["data"]
        assert (data["ENVIRONMENT"], data["NEW_RELIC_ENVIRONMENT"]) == (environment, environment)
        assert data["NEW_RELIC_LABELS"] == f"environment:{environment};app:voting01;team:platform"

    def test_apm_host_of_the_templates_is_that_of_the_config_map(self, environment: str) -> None:
        """Pods and gates of an environment name one APM."""
        found = rendered(environment)
        host = only(found, "ConfigMap", "voting01-config")["data"]["NEW_RELIC_HOST"]
        for template in (each for each in found if each["kind"] == "AnalysisTemplate"):
            defaults = {each["name"]: each.get("value") for each in template["spec"]["args"]}
            assert defaults.get("newrelic-url", f"http://{host}") == f"http://{host}"

    def test_services(self, environment: str) -> None:
        """Vote and result have the second service that their strategy needs, and no other."""
        second = {"dev": [], "qa": ["canary"], "staging": ["preview"]}[environment]
        expected = {f"{app}-{each}" for app in ("vote", "result") for each in second}
        names = {
            each["metadata"]["name"] for each in rendered(environment) if each["kind"] == "Service"
        }
        assert names == expected | {"vote", "result", "redis", "db"}


def test_dev_updates_are_rolling() -> None:
    """Kubernetes' own rolling update, one pod more and none fewer, no gate."""
    found = rendered("dev")
    assert not [each for each in found if each["kind"] in {"Rollout", "AnalysisTemplate"}]
    for app in ("vote", "result", "worker"):
        assert workload("dev", app)["spec"]["strategy"] == {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
        }


def test_dev_and_qa_run_the_same_pods() -> None:
    """But for the application's name and the label that tells its hash, DEV is what QA judges."""

    def pod(environment: str, app: str) -> str:
        text = repr(workload(environment, app)["spec"]["template"])
        text = text.replace("'rollouts-pod-template-hash'", "'pod-template-hash'")
        return text.replace(f"voting01-{app}-{environment}", "NAME")

    for app in ("vote", "result", "worker"):
        assert pod("dev", app) == pod("qa", app)


@pytest.mark.parametrize("app", ["vote", "result"])
def test_staging_is_blue_green(app: str) -> None:
    """The strategy is that of the report, and nothing promotes by itself."""
    assert workload("staging", app)["spec"]["strategy"] == {
        "blueGreen": {
            "activeService": app,
            "previewService": f"{app}-preview",
            "autoPromotionEnabled": False,
            "scaleDownDelaySeconds": 30,
            "prePromotionAnalysis": {
                "templates": [{"templateName": "voting01-bluegreen-analysis"}],
                "args": [
                    {"name": "service-name", "value": f"{app}-preview"},
                    {"name": "namespace", "value": "voting01-staging"},
                ],
            },
        }
    }


@pytest.mark.parametrize("environment", ["qa", "staging"])
def test_worker_has_steps_and_no_gate(environment: str) -> None:
    """Half of the pods, two minutes, all of them."""
    canary = workload(environment, "worker")["spec"]["strategy"]["canary"]
    assert canary == {"steps": STEPS["worker"]}


def test_result_is_gated_like_vote() -> None:
    """The same nine steps, asked about result's own services and application name."""

    def strategy(app: str) -> str:
        found = repr(workload("qa", app)["spec"]["strategy"])
        return found.replace(f"voting01-{app}-qa", "NAME").replace(app, "APP")

    assert strategy("result") == strategy("vote")


@pytest.mark.parametrize(
    ("environment", "names"),
    [
        ("dev", set()),
        ("qa", {"voting01-canary-analysis", "voting01-health-check"}),
        ("staging", {"voting01-bluegreen-analysis"}),
    ],
)
def test_templates(environment: str, names: set[str]) -> None:
    """Each environment has the templates that its Rollouts name."""
    found = rendered(environment)
    assert {
        each["metadata"]["name"] for each in found if each["kind"] == "AnalysisTemplate"
    } == names


@pytest.mark.parametrize("environment", ["qa", "staging"])
def test_disruption_budgets(environment: str) -> None:
    """A drain takes one pod at a time, and is never blocked by a pod that is not ready."""
    for app in ("vote", "result"):
        budget = only(rendered(environment), "PodDisruptionBudget", app)["spec"]
        assert budget["maxUnavailable"] == 1
        assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
        assert budget["selector"] == {"matchLabels": {"app": app}}


@pytest.mark.parametrize(
    ("service", "kind", "port"),
    [
        ("mock-newrelic", "StatefulSet", 8080),
        ("canary-analyzer", "StatefulSet", 8081),
        ("votegen", "Deployment", 8082),
    ],
)
def test_platform_services(service: str, kind: str, port: int) -> None:
    """One replica each, on the port of the contract, reached under the name that gates use."""
    found = rendered("platform")
    ports = {
        each["name"]: each["port"] for each in only(found, "Service", service)["spec"]["ports"]
    }
    spec = only(found, kind, service)["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    assert spec["replicas"] == 1
    assert ports["http"] == port
    assert {each["name"]: each["containerPort"] for each in container["ports"]}["http"] == port
    assert container["args"][:2] == ["serve", "--host=0.0.0.0"]
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "http"}


def test_gates_ask_the_platform_under_its_names() -> None:
    """The addresses in the templates are Services of the platform overlay."""
    services = {
        f"http://{each['metadata']['name']}.{each['metadata']['namespace']}.svc.cluster.local:{port['port']}"
        for each in rendered("platform")
        if each["kind"] == "Service"
        for port in each["spec"]["ports"]
    }
    for environment in ("qa", "staging"):
        for template in rendered(environment):
            if template["kind"] == "AnalysisTemplate":
                args = {each["name"]: each.get("value") for each in template["spec"]["args"]}
                asked = {value for name, value in args.items() if name.endswith("-url")}
                assert asked <= services

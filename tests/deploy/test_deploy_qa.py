from __future__ import annotations

from typing import Any

import pytest
from deploy_manifests import Documents, only

IMAGE = "792373136340.dkr.ecr.us-west-2.amazonaws.com/opsera/voting01-vote:e3e1a9b-20260204015120"
HEALTH = (
    "{{args.analyzer-url}}/v1/health-check"
    "?service={{args.service-name}}&namespace={{args.namespace}}"
)


def steps(rollout: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the canary steps."""
    return rollout["spec"]["strategy"]["canary"]["steps"]


def step_args(rollout: dict[str, Any], index: int) -> dict[str, Any]:
    """Return name -> value or valueFrom of the arguments of one analysis step."""
    args = steps(rollout)[index]["analysis"]["args"]
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in args}


def template_args(template: dict[str, Any]) -> dict[str, Any]:
    """Return name -> default of a template's arguments."""
    return {each["name"]: each.get("value") for each in template["spec"]["args"]}


def metric(template: dict[str, Any], name: str) -> dict[str, Any]:
    """Return one metric of a template."""
    (found,) = (each for each in template["spec"]["metrics"] if each["name"] == name)
    return found


@pytest.fixture(name="analysis")
def _analysis(templates: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return templates["voting01-canary-analysis"]


class TestRollout:
    """The canary of the QA environment."""

    def test_everything_lives_in_its_namespace(self, qa: Documents) -> None:
        """No object would land in the namespace of whoever applies it."""
        homes = {each["metadata"].get("namespace") for each in qa if each["kind"] != "Namespace"}
        assert homes == {"voting01-qa"}
        assert only(qa, "Namespace")["metadata"]["name"] == "voting01-qa"

    def test_two_replicas_of_the_pinned_image(self, rollout: dict[str, Any]) -> None:
        """QA runs two pods of the image that the pipeline built."""
        (container,) = rollout["spec"]["template"]["spec"]["containers"]
        assert rollout["spec"]["replicas"] == 2
        assert container["image"] == IMAGE

    def test_old_replica_sets_stay_for_undo(self, rollout: dict[str, Any]) -> None:
        """Two old ReplicaSets are kept."""
        assert rollout["spec"]["revisionHistoryLimit"] == 2

    def test_nine_steps(self, rollout: dict[str, Any]) -> None:
        """The steps are the nine of the document, in order."""
        seen = [
            step["analysis"]["templates"][0]["templateName"]
            if "analysis" in step
            else step.get("setWeight", step.get("pause"))
            for step in steps(rollout)
        ]
        assert seen == [
            20,
            {"duration": "2m"},
            "voting01-health-check",
            50,
            {"duration": "3m"},
            "voting01-canary-analysis",
            100,
            {"duration": "1m"},
            "voting01-canary-analysis",
        ]

    def test_health_check_arguments(self, rollout: dict[str, Any]) -> None:
        """The health check asks the canary's service."""
        expected = {"service-name": "vote-canary", "namespace": "voting01-qa"}
        assert step_args(rollout, 2) == expected

    @pytest.mark.parametrize(("index", "window"), [(5, "3m"), (8, "1m")])
    def test_analysis_arguments(self, rollout: dict[str, Any], index: int, window: str) -> None:
        """Each analysis gets every argument that has no default, and a window of its own."""
        assert step_args(rollout, index) == {
            "service-name": "vote-canary",
            "namespace": "voting01-qa",
            "app-name": "voting01-vote-qa",
            "error-threshold": "2",
            "window": window,
            "canary-hash": {"podTemplateHashValue": "Latest"},
            "stable-hash": {"podTemplateHashValue": "Stable"},
        }

    @pytest.mark.parametrize("index", [5, 8])
    def test_window_is_the_pause_before(self, rollout: dict[str, Any], index: int) -> None:
        """An app-wide rate must not look back past the weight that it judges."""
        pause = steps(rollout)[index - 1]["pause"]["duration"]
        assert step_args(rollout, index)["window"] == pause

    def test_every_argument_of_a_step_is_declared(
        self, rollout: dict[str, Any], templates: dict[str, dict[str, Any]]
    ) -> None:
        """No argument is silently dropped, and none is left without a value."""
        for index in (2, 5, 8):
            name = steps(rollout)[index]["analysis"]["templates"][0]["templateName"]
            declared = {each["name"]: each for each in templates[name]["spec"]["args"]}
            given = step_args(rollout, index).keys()
            needed = {arg for arg, spec in declared.items() if spec.keys() == {"name"}}
            assert needed <= given <= declared.keys()

    def test_nginx_routes_the_traffic(self, rollout: dict[str, Any], qa: Documents) -> None:
        """NGINX splits between two services, from an ingress whose backend is the stable one."""
        canary = rollout["spec"]["strategy"]["canary"]
        assert canary["trafficRouting"] == {"nginx": {"stableIngress": "voting01-ingress"}}
        assert (canary["stableService"], canary["canaryService"]) == ("vote", "vote-canary")
        ingress = only(qa, "Ingress", "voting01-ingress")["spec"]
        rule, _ = ingress["rules"]
        (path,) = rule["http"]["paths"]
        assert ingress["ingressClassName"] == "nginx"
        assert rule["host"] == "vote-voting01-qa.agent.opsera.dev"
        assert path["backend"]["service"] == {"name": "vote", "port": {"number": 80}}

    def test_no_cookie_affinity(self, qa: Documents) -> None:
        """Affinity would pin voters to a version and let the split drift from the weight."""
        annotations = only(qa, "Ingress")["metadata"].get("annotations", {})
        assert not [each for each in annotations if "affinity" in each]

    @pytest.mark.parametrize("name", ["vote", "vote-canary"])
    def test_service_reaches_the_pods(
        self, rollout: dict[str, Any], qa: Documents, name: str
    ) -> None:
        """Port 80 leads to port 80 of pods that the Rollout makes."""
        service = only(qa, "Service", name)["spec"]
        labels = rollout["spec"]["template"]["metadata"]["labels"]
        (port,) = service["ports"]
        assert (port["port"], port["targetPort"]) == (80, 80)
        assert service["selector"].items() <= labels.items()

    def test_pods_know_their_hash_and_application(self, rollout: dict[str, Any]) -> None:
        """Telemetry can carry both; the gate asks for the same application name."""
        (container,) = rollout["spec"]["template"]["spec"]["containers"]
        env = {each["name"]: each for each in container["env"]}
        reference = env["POD_TEMPLATE_HASH"]["valueFrom"]["fieldRef"]["fieldPath"]
        assert reference == "metadata.labels['rollouts-pod-template-hash']"
        assert env["NEW_RELIC_APP_NAME"]["value"] == step_args(rollout, 5)["app-name"]

    def test_no_secret_in_rollout_arguments(self, rollout: dict[str, Any]) -> None:
        """Argo refuses `secretKeyRef` there; only the template names the Secret."""
        assert "secretKeyRef" not in repr(rollout["spec"]["strategy"])


class TestCanaryAnalysis:
    """The template voting01-canary-analysis."""

    def test_metrics_in_order(self, analysis: dict[str, Any]) -> None:
        """The two gates of the document come first, the comparison third."""
        names = [each["name"] for each in analysis["spec"]["metrics"]]
        assert names == ["http-health", "error-rate", "canary-vs-stable"]

    def test_http_health(self, analysis: dict[str, Any]) -> None:
        """Three checks, half a minute apart, one failure tolerated, read from JSON."""
        seen = metric(analysis, "http-health")
        assert (seen["count"], seen["interval"], seen["failureLimit"]) == (3, "30s", 1)
        assert seen["provider"]["web"]["url"] == HEALTH

    def test_error_rate(self, analysis: dict[str, Any]) -> None:
        """The metric is the document's: its numbers, condition, URL and headers."""
        assert metric(analysis, "error-rate") == {
            "name": "error-rate",
            "count": 2,
            "interval": "60s",
            "failureLimit": 1,
            "successCondition": "result.errorRate < {{args.error-threshold}}",
            "provider": {
                "web": {
                    "method": "GET",
                    "url": "{{args.newrelic-url}}/v1/metrics"
                    "?app={{args.app-name}}&metric=errorRate&window={{args.window}}",
                    "timeoutSeconds": 30,
                    "headers": [
                        {"key": "Content-Type", "value": "application/json"},
                        {"key": "Api-Key", "value": "{{args.api-key}}"},
                    ],
                    "jsonPath": "{$}",
                }
            },
        }

    def test_canary_vs_stable(self, analysis: dict[str, Any]) -> None:
        """The comparison asks by pod hash, and what is neither pass nor fail is inconclusive."""
        seen = metric(analysis, "canary-vs-stable")
        assert (seen["count"], seen["interval"]) == (2, "60s")
        assert (seen["failureLimit"], seen["inconclusiveLimit"]) == (1, 1)
        assert seen["successCondition"] == 'result.verdict == "pass"'
        assert seen["failureCondition"] == 'result.verdict == "fail"'
        assert seen["provider"]["web"]["url"] == (
            "{{args.analyzer-url}}/v1/analysis?app={{args.app-name}}"
            "&canary={{args.canary-hash}}&stable={{args.stable-hash}}"
            "&window={{args.comparison-window}}&error_threshold={{args.error-threshold}}"
        )

    def test_argument_defaults(self, analysis: dict[str, Any]) -> None:
        """What a Rollout may leave out has a default; names and hashes have none."""
        assert template_args(analysis) == {
            "service-name": None,
            "namespace": None,
            "app-name": None,
            "canary-hash": None,
            "stable-hash": None,
            "error-threshold": "2",
            "window": "5m",
            "comparison-window": "5m",
            "newrelic-url": "http://mock-newrelic.voting01-apm.svc.cluster.local:8080",
            "analyzer-url": "http://canary-analyzer.voting01-apm.svc.cluster.local:8081",
            "api-key": None,
        }

    def test_host_is_that_of_the_config_map(self, analysis: dict[str, Any], qa: Documents) -> None:
        """Pods and gate name one APM."""
        host = only(qa, "ConfigMap", "voting01-config")["data"]["NEW_RELIC_HOST"]
        assert template_args(analysis)["newrelic-url"] == f"http://{host}"

    def test_key_comes_from_a_secret_that_is_there(
        self, analysis: dict[str, Any], qa: Documents
    ) -> None:
        """A missing Secret would end every run in Error."""
        (reference,) = (
            each["valueFrom"]["secretKeyRef"]
            for each in analysis["spec"]["args"]
            if "valueFrom" in each
        )
        secret = only(qa, "Secret", reference["name"])
        assert secret["stringData"][reference["key"]] == "test-key"
        assert "Example" in secret["metadata"]["annotations"]["kubernetes.io/description"]


@pytest.mark.parametrize("name", ["voting01-health-check", "voting01-bluegreen-analysis"])
def test_health_check_template(templates: dict[str, dict[str, Any]], name: str) -> None:
    """Five checks, half a minute apart, two failures tolerated, asked of the analyzer."""
    seen = templates[name]["spec"]["metrics"][0]
    assert (seen["name"], seen["count"], seen["interval"]) == ("http-health-check", 5, "30s")
    assert seen["failureLimit"] == 2
    assert seen["provider"]["web"]["url"] == HEALTH
    assert seen["successCondition"] == 'result.status == "healthy"'
    assert seen["failureCondition"] == 'result.status == "unhealthy"'


def test_health_checks_ask_the_page_too(qa: Documents) -> None:
    """As often; more errors are tolerated than the analyzer's check needs to fail."""
    _, direct = only(qa, "AnalysisTemplate", "voting01-health-check")["spec"]["metrics"]
    assert (direct["name"], direct["count"], direct["interval"]) == ("http-direct", 5, "30s")
    assert direct["consecutiveErrorLimit"] > direct["count"]


def test_config_map_keys(qa: Documents) -> None:
    """The ConfigMap has the keys that the voting application reads."""
    data = only(qa, "ConfigMap", "voting01-config")["data"]
    assert {name: data[name] for name in ("REDIS_PORT", "DATABASE_NAME", "ENVIRONMENT")} == {
        "REDIS_PORT": "6379",
        "DATABASE_NAME": "votes",
        "ENVIRONMENT": "qa",
    }
    assert data["NEW_RELIC_LABELS"] == "environment:qa;app:voting01;team:platform"
    assert data.keys() == {
        "REDIS_HOST",
        "REDIS_PORT",
        "DATABASE_HOST",
        "DATABASE_PORT",
        "DATABASE_NAME",
        "DATABASE_USER",
        "ENVIRONMENT",
        "LOG_LEVEL",
        "NEW_RELIC_HOST",
        "NEW_RELIC_LOG_LEVEL",
        "NEW_RELIC_DISTRIBUTED_TRACING_ENABLED",
        "NEW_RELIC_LABELS",
        "NEW_RELIC_ENVIRONMENT",
    }

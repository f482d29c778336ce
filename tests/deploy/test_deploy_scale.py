"""More pods: generators that share a plan, autoscalers."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from deploy_manifests import DEPLOY, ROOT, documents, only, pod_specs, rendered
from deploy_network import Network, Pod

from votegen.schemas import PlanBody

COMPONENTS = DEPLOY / "components"
PLAN = COMPONENTS / "traffic-plan" / "plan.yaml"
INGRESS = Pod(namespace="ingress-nginx")
APM = "voting01-apm"


def job(component: str, name: str) -> dict[str, Any]:
    """Return a Job of a component."""
    (path,) = (each for each in (COMPONENTS / component).glob("*.yaml") if _holds_jobs(each))
    return only(documents(path), "Job", name)["spec"]


def _holds_jobs(path: Path) -> bool:
    return any(each["kind"] == "Job" for each in documents(path))


def container(spec: dict[str, Any], kind: str = "containers") -> dict[str, Any]:
    """Return the one container of a Job."""
    (found,) = spec["template"]["spec"][kind]
    return found


def test_the_plan_comes_through_the_ingress() -> None:
    """Votegen takes it; it is addressed to the host of QA, so that the ingress splits it."""
    (document,) = documents(PLAN)
    plan = PlanBody.model_validate_json(json.dumps(document))
    hosts = {rule["host"] for rule in only(rendered("qa"), "Ingress")["spec"]["rules"]}
    assert plan.host_header in hosts
    assert plan.arrivals == "poisson"
    assert plan.duration is not None


def test_generators_differ_by_their_seed() -> None:
    """Each pod has the seed of its index: with one seed, all would send the same votes at once."""
    spec = job("votegen-jobs", "votegen")
    assert (spec["completionMode"], spec["backoffLimit"]) == ("Indexed", 0)
    generator = container(spec)
    (index,) = generator["env"]
    assert "--seed=$(POD_INDEX)" in generator["args"]
    assert index["name"] == "POD_INDEX"
    path = index["valueFrom"]["fieldRef"]["fieldPath"]
    assert path == "metadata.annotations['batch.kubernetes.io/job-completion-index']"


def test_generators_take_their_arguments() -> None:
    """The command line is one that votegen understands; nobody answers here, which is code 5."""
    arguments = [
        each.replace("$(POD_INDEX)", "3").replace("/plan/plan.yaml", str(PLAN))
        for each in container(job("votegen-jobs", "votegen"))["args"]
    ]
    here = ["--target=http://127.0.0.1:9", "--duration=100ms", "--timeout=100ms"]
    done = subprocess.run(
        [sys.executable, "-m", "votegen", *arguments, *here],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 5, done.stderr
    assert json.loads(done.stdout)["planned"] > 0


def test_generators_are_no_endpoints_of_the_control_plane() -> None:
    """The Service `votegen` selects the pod that is told what to do, and none that just sends."""
    selector = only(rendered("platform"), "Service", "votegen")["spec"]["selector"]
    labels = job("votegen-jobs", "votegen")["template"]["metadata"]["labels"]
    assert not selector.items() <= labels.items()


def test_locust_workers_find_their_master(tmp_path: Path) -> None:
    """As many workers as are expected, at the Service's name, with the file that votegen writes."""
    master, worker = job("locust", "locust-master"), job("locust", "locust-worker")
    assert f"--expect-workers={worker['parallelism']}" in container(master)["args"]
    service = only(documents(COMPONENTS / "locust" / "locust.yaml"), "Service", "locust")
    assert f"--master-host={service['metadata']['name']}" in container(worker)["args"]
    labels = master["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    assert (
        not service["spec"]["selector"].items() <= worker["template"]["metadata"]["labels"].items()
    )
    writer = container(master, "initContainers")["args"]
    assert writer == container(worker, "initContainers")["args"]
    written = tmp_path / "locustfile.py"
    places = {"/plan/plan.yaml": str(PLAN), "--out=/locust/locustfile.py": f"--out={written}"}
    arguments = [places.get(each, each) for each in writer]
    subprocess.run([sys.executable, "-m", "votegen", *arguments], check=True)
    compile(written.read_text(encoding="utf-8"), written, "exec")
    for spec in (master, worker):
        assert "--locustfile=/locust/locustfile.py" in container(spec)["args"]


@pytest.mark.parametrize(
    ("component", "app"), [("votegen-jobs", "votegen-job"), ("locust", "locust")]
)
def test_generators_reach_the_ingress(component: str, app: str) -> None:
    """The policies that a component brings open the way that its plan takes, and no other."""
    policies = documents(COMPONENTS / component / "policy.yaml")
    for each in policies:
        each["metadata"]["namespace"] = APM
    network = Network([*rendered("platform"), *policies])
    generator = Pod(namespace=APM, labels={"app": app})
    assert network.allows(generator, INGRESS, 80)
    assert not network.allows(generator, Pod(namespace="default"), 80)
    assert network.allows(generator, generator, 5557) is (app == "locust")


def test_our_images_are_of_this_version() -> None:
    """Whatever names an image of ours names the version of this source."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        version = tomllib.load(file)["project"]["version"]
    components = [each for path in COMPONENTS.rglob("*.yaml") for each in documents(path)]
    images = {
        each["image"]
        for pod in pod_specs([*components, *rendered("platform")])
        for kind in ("containers", "initContainers")
        for each in pod.get(kind, [])
        if each["image"].startswith("ghcr.io/gatelab/")
    }
    assert len(images) >= 3
    assert {each.rpartition(":")[2] for each in images} == {version}


def test_autoscalers_scale_rollouts() -> None:
    """Their targets are Rollouts of both environments, and they begin where git does."""
    for each in documents(COMPONENTS / "autoscaling" / "autoscalers.yaml"):
        target = each["spec"]["scaleTargetRef"]
        assert target["apiVersion"] == "argoproj.io/v1alpha1"
        for overlay in ("qa", "staging"):
            rollout = only(rendered(overlay), target["kind"], target["name"])
            replicas = rollout["spec"]["replicas"]
            assert each["spec"]["minReplicas"] <= replicas <= each["spec"]["maxReplicas"]


def test_several_analyzers_share_their_evidence() -> None:
    """User, password and database of the URL are those of the database that comes with it."""
    database = documents(COMPONENTS / "scale-out" / "database.yaml")
    replicas = documents(COMPONENTS / "scale-out" / "replicas.yaml")
    secret = only(replicas, "Secret", "canary-analyzer-state")["stringData"]
    url = urlsplit(secret["ANALYZER_STATE_URL"])
    (server,) = only(database, "StatefulSet")["spec"]["template"]["spec"]["containers"]
    env = {each["name"]: each.get("value") for each in server["env"]}
    password = only(database, "Secret")["stringData"]["password"]
    assert (url.scheme, url.hostname) == (
        "postgresql",
        only(database, "Service")["metadata"]["name"],
    )
    assert (url.username, url.password) == (env["POSTGRES_USER"], password)
    assert url.path == f"/{env['POSTGRES_DB']}"


def test_only_analyzers_reach_their_database() -> None:
    """The component opens that way, and nobody else gets in."""
    policies = [
        each
        for name in ("replicas", "database")
        for each in documents(COMPONENTS / "scale-out" / f"{name}.yaml")
        if each["kind"] == "NetworkPolicy"
    ]
    for each in policies:
        each["metadata"]["namespace"] = APM
    network = Network([*rendered("platform"), *policies])
    database = Pod(namespace=APM, labels={"app": "canary-analyzer-db"})
    for app in ("canary-analyzer", "mock-newrelic", "votegen"):
        pod = Pod(namespace=APM, labels={"app": app})
        assert network.allows(pod, database, 5432) is (app == "canary-analyzer")
    assert not network.allows(Pod(namespace="argo-rollouts"), database, 5432)

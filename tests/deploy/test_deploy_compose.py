"""The Compose file of a laptop: tidy, locked down, and its programs work together as it says.

No Docker engine is needed: the programs of the Compose file are started here with its commands and
environments, host names replaced by loopback ports, under a Prometheus with its configuration.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from deploy_manifests import DEPLOY, documents

from votegen.schemas import PlanBody

FOLDER = DEPLOY / "compose"
(COMPOSE,) = documents(FOLDER / "compose.yaml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: each for name, each in SERVICES.items() if "build" in each}
DOCKERFILE = (DEPLOY / "images" / "Dockerfile").read_text(encoding="utf-8")
PORT = {
    target: int(port)
    for target, port in re.findall(
        r"^FROM runtime AS (\S+)$.*?^EXPOSE (\d+)", DOCKERFILE, re.MULTILINE | re.DOTALL
    )
}
ADDRESSES = {name: f"{name}:{PORT[each['build']['target']]}" for name, each in OURS.items()}


def prometheus() -> dict[str, Any]:
    """Return the configuration of Prometheus."""
    (found,) = documents(FOLDER / "prometheus.yaml")
    return found


def test_services() -> None:
    """The four programs, two versions of the application, and what watches them."""
    assert {each["build"]["target"] for each in OURS.values()} == PORT.keys()
    assert SERVICES.keys() - OURS.keys() == {"traffic", "prometheus", "grafana"}
    hashes = {SERVICES[name]["environment"]["VOTEAPP_HASH"] for name in OURS if "vote-" in name}
    assert len(hashes) == 2


@pytest.mark.parametrize("name", SERVICES)
def test_containers_are_locked_down(name: str) -> None:
    """Read-only root, no capability, no privilege to gain, and nothing listens beyond loopback."""
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.keys() & {"privileged", "network_mode", "pid", "user", "cap_add"}
    for each in service.get("ports", []):
        assert each.startswith("127.0.0.1:")


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - OURS.keys()))
def test_foreign_images_are_pinned_by_digest(name: str) -> None:
    """A tag for people, a digest for machines."""
    assert re.fullmatch(r"[\w./-]+:v?[\d.]+@sha256:[0-9a-f]{64}", SERVICES[name]["image"])


def test_host_ports_are_told_apart() -> None:
    """No two containers ask for one port, and each leads to what the image listens on."""
    ports = [each for service in SERVICES.values() for each in service.get("ports", [])]
    assert len({each.rpartition(":")[0] for each in ports}) == len(ports)
    for service in OURS.values():
        (port,) = service["ports"]
        assert port.rpartition(":")[2] == str(PORT[service["build"]["target"]])


def test_mounts_are_there() -> None:
    """Files that are mounted exist and are read-only; other mounts are declared volumes."""
    used = set()
    for service in SERVICES.values():
        for source, target, *mode in (each.split(":") for each in service.get("volumes", [])):
            if source.startswith("."):
                assert (FOLDER / source).exists(), source
                assert mode == ["ro"], target
            else:
                used.add(source)
    assert used == COMPOSE["volumes"].keys()


def test_waiting_is_for_what_can_be_healthy() -> None:
    """`service_healthy` is asked of images with a health check alone: others never become it."""
    for name, service in SERVICES.items():
        for other in service.get("depends_on", []):
            assert other in SERVICES, name
            condition = service["depends_on"]
            if isinstance(condition, dict):
                assert condition[other] == {"condition": "service_healthy"}
                assert other in OURS


def test_prometheus_scrapes_every_service() -> None:
    """Each of our containers, under the job's name that dashboards and alerts expect."""
    jobs = {
        each["job_name"]: each["static_configs"][0]["targets"]
        for each in prometheus()["scrape_configs"]
    }
    targets = {name: each["build"]["target"] for name, each in OURS.items()}
    assert jobs == {
        target: [ADDRESSES[name] for name in OURS if targets[name] == target] for target in PORT
    }


def test_grafana_is_provisioned() -> None:
    """Its data source is the Prometheus beside it, its dashboards those of deploy/grafana."""
    provisioning = FOLDER / "grafana" / "provisioning"
    (sources,) = documents(provisioning / "datasources" / "prometheus.yaml")
    (provider,) = documents(provisioning / "dashboards" / "gatelab.yaml")
    assert [each["url"] for each in sources["datasources"]] == ["http://prometheus:9090"]
    (path,) = (each["options"]["path"] for each in provider["providers"])
    assert f"../grafana:{path}:ro" in SERVICES["grafana"]["volumes"]


def test_the_plan_is_one() -> None:
    """Votegen takes it; it goes to both versions and has no end."""
    plan = PlanBody.model_validate_json((FOLDER / "plan.json").read_text(encoding="utf-8"))
    hosts = {each.url.removeprefix("http://") for each in plan.targets}
    assert hosts == {ADDRESSES["vote-stable"], ADDRESSES["vote-canary"]}
    assert plan.duration is None


@pytest.mark.external
def test_promtool() -> None:
    """Prometheus accepts its configuration."""
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed")
    command = ["promtool", "check", "config", str(FOLDER / "prometheus.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def free_ports(count: int) -> list[int]:
    """Return ports of loopback that were free just now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Laptop:
    """The programs of the Compose file on loopback, with the addresses that they got."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        names = [*OURS, "prometheus"]
        self.ports = dict(zip(names, free_ports(len(names)), strict=True))
        self.processes: list[subprocess.Popen[bytes]] = []

    def local(self, text: str) -> str:
        """Return a text whose container addresses are those on loopback."""
        text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)
        for name, address in ADDRESSES.items():
            text = text.replace(address, f"127.0.0.1:{self.ports[name]}")
        return text

    def url(self, name: str) -> str:
        """Return where a program listens."""
        return f"http://127.0.0.1:{self.ports[name]}"

    def start(self) -> None:
        """Start everything, as the Compose file says."""
        for name, service in OURS.items():
            target = service["build"]["target"]
            module = target.replace("canary-", "").replace("-", "_")
            arguments = [self.local(each) for each in service.get("command", ["serve"])]
            arguments = [each.replace("=/state", f"={self.folder}/state") for each in arguments]
            if target == "mock-newrelic":
                arguments.append(f"--data-dir={self.folder / 'apm'}")
            command = [sys.executable, "-m", module, *arguments, f"--port={self.ports[name]}"]
            environment = {
                key: self.local(str(value)) for key, value in service.get("environment", {}).items()
            }
            self._spawn(name, [*command, "--log-level=error"], environment)
        configuration = self.local((FOLDER / "prometheus.yaml").read_text(encoding="utf-8"))
        path = self.folder / "prometheus.yaml"
        path.write_text(configuration.replace("scrape_interval: 5s", "scrape_interval: 1s"))
        listen = f"--web.listen-address=127.0.0.1:{self.ports['prometheus']}"
        store = f"--storage.tsdb.path={self.folder / 'tsdb'}"
        self._spawn("prometheus", ["prometheus", f"--config.file={path}", store, listen], {})

    def _spawn(self, name: str, command: list[str], environment: dict[str, str]) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes.append(
                subprocess.Popen(
                    command, env={**os.environ, **environment}, stdout=log, stderr=subprocess.STDOUT
                )
            )

    def eventually(self, what: str, ready: Callable[[], object], *, seconds: float = 60) -> None:
        """Wait until something is so; the programs have no way to tell from outside."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if ready():
                    return
            except (httpx.TransportError, httpx.HTTPStatusError):
                pass
            time.sleep(0.2)
        logs = "\n".join(path.read_text()[-500:] for path in self.folder.glob("*.log"))
        pytest.fail(f"never: {what}\n{logs}")

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return what Prometheus finds."""
        url = f"{self.url('prometheus')}/api/v1/query"
        answer = httpx.get(url, params={"query": expression}).raise_for_status().json()
        return list(answer["data"]["result"])


@pytest.fixture(name="laptop", scope="module")
def _laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is not installed")
    laptop = Laptop(tmp_path_factory.mktemp("laptop"))
    try:
        laptop.start()
        for name in OURS:
            ready = f"{laptop.url(name)}/readyz"
            laptop.eventually(f"{name} ready", lambda at=ready: httpx.get(at).raise_for_status())
        plan = json.loads(laptop.local((FOLDER / "plan.json").read_text(encoding="utf-8")))
        votegen = laptop.url("votegen")
        httpx.put(f"{votegen}/control/plan", json=plan).raise_for_status()
        httpx.post(f"{votegen}/control/start").raise_for_status()
        yield laptop
    finally:
        for process in laptop.processes:
            process.terminate()
        for process in laptop.processes:
            process.wait(timeout=15)


def analysis(laptop: Laptop) -> dict[str, Any]:
    """Return what the analyzer says of the two versions."""
    query = {
        "app": SERVICES["vote-stable"]["environment"]["VOTEAPP_APP"],
        "canary": SERVICES["vote-canary"]["environment"]["VOTEAPP_HASH"],
        "stable": SERVICES["vote-stable"]["environment"]["VOTEAPP_HASH"],
        "window": "5m",
    }
    answer = httpx.get(f"{laptop.url('canary-analyzer')}/v1/analysis", params=query)
    return dict(answer.raise_for_status().json())


@pytest.mark.external
@pytest.mark.slow
def test_votes_become_a_comparison(laptop: Laptop) -> None:
    """Votes are split by weight, reported, and counted by hash when the analyzer is asked."""

    def counts() -> tuple[int, int]:
        compared = analysis(laptop)["metrics"][0]
        return compared["canary"]["count"], compared["stable"]["count"]

    laptop.eventually("both versions reported", lambda: min(counts()) > 10)
    canary, stable = counts()
    assert stable > canary


@pytest.mark.external
@pytest.mark.slow
@pytest.mark.parametrize("service", ["vote", "vote-canary"])
def test_health_check_reaches_the_versions(laptop: Laptop, service: str) -> None:
    """The analyzer may probe both of them, under the names that a gate would use."""
    url = f"{laptop.url('canary-analyzer')}/v1/health-check"
    answer = httpx.get(url, params={"service": service, "namespace": "laptop"})
    assert answer.json()["status"] == "healthy"


def expressions() -> list[str]:
    """Return every query of every dashboard."""
    return [
        target["expr"]
        for path in sorted((DEPLOY / "grafana").glob("*.json"))
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]
        for target in panel.get("targets", [])
    ]


@pytest.mark.external
@pytest.mark.slow
def test_dashboards_show_something(laptop: Laptop) -> None:
    """Prometheus finds every target, and answers each dashboard's queries; traffic is in them."""
    analysis(laptop)
    laptop.eventually(
        "all targets are up", lambda: len(laptop.query("up == 1")) == len(OURS), seconds=30
    )
    # Nothing was injected, refused or broken: those panels are empty, and no other is.
    quiet = re.compile(r'inject|refused|5\.\.|verdict="(fail|inconclusive)"|outcome!="ok"|faults')
    asked = [each for each in expressions() if not quiet.search(each)]
    assert len(asked) >= 10
    laptop.eventually(
        "every panel shows something", lambda: all(laptop.query(each) for each in asked), seconds=30
    )
    for expression in expressions():
        laptop.query(expression)

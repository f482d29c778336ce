"""`gatelab simulate`: probabilities of a gate that is known, blindness, sweeps, comparisons."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from scipy import stats

from rollout_runner.argo.types import ArgoVersion
from rollout_runner.commands.simulate import RENDERERS, SimulateRequest, simulate
from svckit.errors import InvalidInput

ROOT = Path(__file__).resolve().parents[2]
QA = ROOT / "deploy" / "rendered" / "qa.yaml"
APP = "voting01-vote-qa"


def request(path: Path, **changes: Any) -> SimulateRequest:
    """Return a small request."""
    fields: dict[str, Any] = {
        "path": path,
        "rollout": None,
        "runs": 3,
        "seed": 1,
        "traffic": None,
        "baseline": None,
        "canary": None,
        "sweep": None,
        "at": None,
        "against": None,
        "scenario": None,
        "argo_version": ArgoVersion.V1_9,
        "jobs": 1,
        "executor": "local",
        "quiet": True,
    }
    return SimulateRequest(**(fields | changes))


def gate(
    folder: Path,
    *,
    weight: int = 20,
    threshold: str = "2",
    window: str = "1m",
    count: int = 1,
    query: str = "",
    name: str = "gate",
) -> Path:
    """Write a Rollout with one app-wide errorRate gate after one weight, and return the file."""
    url = f"http://mock-newrelic.apm.svc.cluster.local/v1/metrics?app={APP}&metric=errorRate"
    documents = [each for each in yaml.safe_load_all(QA.read_text()) if each is not None]
    [rollout] = [
        each
        for each in documents
        if each["kind"] == "Rollout" and each["metadata"]["name"] == "vote"
    ]
    rollout["spec"]["strategy"]["canary"]["steps"] = [
        {"setWeight": weight},
        {"pause": {"duration": "2m"}},
        {
            "analysis": {
                "templates": [{"templateName": "known"}],
                "args": [{"name": "app-name", "value": APP}],
            }
        },
    ]
    template = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisTemplate",
        "metadata": {"name": "known", "namespace": "voting01-qa"},
        "spec": {
            "args": [
                {"name": "app-name"},
                {
                    "name": "api-key",
                    "valueFrom": {"secretKeyRef": {"name": "newrelic-api-key", "key": "api-key"}},
                },
            ],
            "metrics": [
                {
                    "name": "error-rate",
                    "count": count,
                    "interval": "1m",
                    "successCondition": f"result.errorRate < {threshold}",
                    "provider": {
                        "web": {
                            "url": f"{url}&window={window}{query}",
                            "headers": [{"key": "Api-Key", "value": "{{args.api-key}}"}],
                        }
                    },
                }
            ],
        },
    }
    kept = [each for each in documents if each["kind"] in {"Service", "Ingress", "Secret"}]
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump_all([rollout, template, *kept]))
    return path


def test_a_gate_is_as_often_wrong_as_the_binomial_says(tmp_path: Path) -> None:
    """300 requests at weight 100 pass below 2 % exactly when at most five of them fail."""
    path = gate(tmp_path, weight=100, window="60s")
    document = simulate(
        request(path, runs=90, traffic="5/s", baseline="errors=0%", canary="errors=2%", seed=11)
    )
    # Arrivals are Poisson: the window holds 300 on average, so the probability is mixed over n.
    sizes = range(220, 381)
    expected = sum(
        stats.poisson.pmf(size, 300) * stats.binom.cdf(-(-size * 2 // 100) - 1, size, 0.02)
        for size in sizes
    )
    low, high = document["intervals"]["promoted"]
    assert low <= expected <= high, (expected, document["probabilities"])
    assert document["intervalMethods"]["promoted"] == "wilson"
    assert high - low < 0.25


def test_the_documents_gate_is_blind_at_weight_20(tmp_path: Path) -> None:
    """A 5.2 % canary beside a clean stable version reads 1.04 % app-wide, and is promoted."""
    document = simulate(
        request(gate(tmp_path), runs=12, baseline="errors=0%", canary="errors=5.2%")
    )
    assert document["probabilities"]["promoted"] == 1
    assert document["appWideReadings"] == [{"weight": 20, "errorRate": 1.04}]
    [reading] = document["readings"]
    assert reading["mean"] == pytest.approx(1.04, abs=0.1)
    [blind] = [sentence for sentence in document["advice"] if "cannot see" in sentence]
    assert "the 2 % gate 'error-rate' cannot see a 5.2 % canary at weight 20" in blind
    assert "it reads 1.04 %" in blind
    assert "above 10 %" in blind


def test_asking_for_the_canary_alone_is_not_blind(tmp_path: Path) -> None:
    """With hash= the same gate stops it, and nothing is advised against it."""
    hashed = gate(tmp_path, query="&version=v17")
    document = simulate(request(hashed, runs=4, baseline="errors=0%", canary="errors=5.2%"))
    assert document["probabilities"]["aborted"] == 1
    assert document["abortedAtStep"] == {"2": 4}
    assert document["decidedBy"] == {"error-rate": 4}
    assert not [sentence for sentence in document["advice"] if "cannot see" in sentence]


def test_the_document_has_the_promised_shape() -> None:
    """The keys of the contract are there, with numbers or null, and serialise."""
    document = simulate(request(QA, canary="errors=5.2%,latency=x1.3"))
    assert {
        "runs",
        "seed",
        "probabilities",
        "intervals",
        "detection",
        "abortedAtStep",
    } <= document.keys()
    assert set(document["probabilities"]) == {"promoted", "aborted", "paused"}
    assert set(document["detection"]) >= {"seconds", "badRequestsServed"}
    assert set(document["detection"]["seconds"]) == {"p50", "p90"}
    assert document["detection"]["seconds"]["p50"] == 480
    assert document["detection"]["badRequestsServed"]["p50"] > 300
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_one_seed_gives_the_same_bytes() -> None:
    """Twice the same study is byte for byte the same; another seed is not."""
    render = RENDERERS["json"]
    first, again, other = (
        render(simulate(request(QA, runs=2, seed=seed, canary="errors=3.5%"))) for seed in (5, 5, 6)
    )
    assert first == again
    assert first.replace('"seed": 5', "") != other.replace('"seed": 6', "")


@pytest.mark.slow
def test_many_cores_give_the_same_bytes() -> None:
    """Forty runs in two processes are the forty runs in one."""
    one, two = (
        RENDERERS["json"](simulate(request(QA, runs=40, canary="errors=3.5%", jobs=jobs)))
        for jobs in (1, 2)
    )
    assert one == two


def test_a_sweep_is_an_operating_characteristic(tmp_path: Path) -> None:
    """The worse the canary, the more often it is stopped; the page has the curve."""
    path = gate(tmp_path, weight=50)
    document = simulate(
        request(path, runs=8, baseline="errors=0%", sweep="errors=1%..9%/3", traffic="20/s")
    )
    points = document["sweep"]["points"]
    assert [point["label"] for point in points] == ["1%", "5%", "9%"]
    stopped = [1 - point["probabilities"]["promoted"] for point in points]
    assert stopped[0] == 0
    assert stopped[-1] == 1
    page = RENDERERS["html"](document)
    assert "uPlot" in page
    assert '"x":[1.0,5.0,9.0]' in page
    assert "http://" not in page.split("</main>")[0].split("<main>")[0]
    assert "| 5% |" in RENDERERS["markdown"](document)
    assert "canary errors" in RENDERERS["text"](document)


def test_two_gates_meet_the_same_requests(tmp_path: Path) -> None:
    """Against a stricter gate only one kind of discordant run exists, and all are accounted for."""
    lax, strict = gate(tmp_path, name="lax"), gate(tmp_path, name="strict", threshold="0.95")
    document = simulate(
        request(lax, runs=10, against=strict, baseline="errors=0%", canary="errors=5.2%")
    )
    stopped = document["comparison"]["stopped"]
    assert sum(stopped.values()) == 10
    assert stopped["onlyThis"] == 0
    assert stopped["onlyAgainst"] >= 5
    assert document["comparison"]["difference"] == -stopped["onlyAgainst"] / 10
    assert document["comparison"]["mcnemarP"] < 0.1
    assert document["readings"][0]["mean"] == document["against"]["readings"][0]["mean"]
    assert "stopped by the other only" in RENDERERS["text"](document)


def test_a_canary_can_turn_bad_at_a_step() -> None:
    """With --at 6 the errors come with weight 100, and only the last analysis can see them."""
    document = simulate(request(QA, runs=2, baseline="errors=0%", canary="errors=5.2%", at=6))
    assert document["abortedAtStep"] == {"8": 2}
    assert document["timeline"][0]["on"] == {"step": 6}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"runs": 0}, "--runs 0"),
        ({"jobs": 0}, "--jobs 0"),
        ({"at": 9}, "--at 9: the Rollout vote has 9 steps"),
        ({"traffic": "30000/s"}, "expected at most 20000"),
        ({"executor": "kubernetes"}, "expected local or dask=ADDRESS"),
        ({"scenario": "nothing"}, "there is no scenario 'nothing'"),
        ({"rollout": "nobody"}, "nobody"),
    ],
)
def test_wrong_requests_are_refused_before_anything_runs(
    changes: dict[str, Any], says: str
) -> None:
    """One sentence names what is wrong."""
    with pytest.raises(InvalidInput) as caught:
        simulate(request(QA, **changes))
    assert says in caught.value.detail

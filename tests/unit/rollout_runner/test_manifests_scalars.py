from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from rollout_runner.manifests.scalars import Scalar, plain

# What kubectl 1.32.4 makes of the scalar on its way to JSON.
OBSERVED: dict[str, Scalar] = {
    "y": True,
    "Y": True,
    "n": False,
    "yes": True,
    "No": False,
    "on": True,
    "OFF": False,
    "true": True,
    "False": False,
    "~": None,
    "null": None,
    "Null": None,
    "2": 2,
    "+1": 1,
    "-7": -7,
    "0": 0,
    "09": 9,
    "0644": 420,
    "0o14": 12,
    "0x1F": 31,
    "-0x1F": -31,
    "0b11": 3,
    "1_000": 1000,
    "1__0": 10,
    ".5": 0.5,
    "0.5": 0.5,
    "1.": 1,
    "2.0": 2,
    "1.5_0": 1.5,
    "1e3": 1000,
    "1E5": 100000,
    "12e03": 12000,
    "1e+3": 1000,
    "1e-2": 0.01,
    "9223372036854775807": 9223372036854775807,
    "12345678901234567890123": 1.2345678901234568e22,
    "22:22": "22:22",
    "190:20:30": "190:20:30",
    "2026-02-04": "2026-02-04",
    "2026-02-04T02:02:23Z": "2026-02-04T02:02:23Z",
    "5m": "5m",
    "1d": "1d",
    "=": "=",
    ".": ".",
    "+": "+",
    "_1": "_1",
    "0x": "0x",
    "0b2": "0b2",
    "1.2.3": "1.2.3",
    "tRUE": "tRUE",
    "yEs": "yEs",
}


@pytest.mark.parametrize(("text", "value"), OBSERVED.items(), ids=OBSERVED)
def test_plain_scalar_means_what_kubectl_makes_of_it(text: str, value: Scalar) -> None:
    """A bare word or number has the value, and the type, that a cluster would see."""
    found = plain(text)
    assert found == value
    assert type(found) is type(value)


def test_empty_scalar_is_null() -> None:
    """`key:` with nothing behind it is null."""
    assert plain("") is None


@pytest.mark.parametrize("text", [".inf", "-.Inf", "+.INF", ".nan", ".NaN", "1e999"])
def test_number_that_json_cannot_say_is_refused(text: str) -> None:
    """Infinity and not-a-number have no JSON form; kubectl refuses them too."""
    with pytest.raises(ValueError, match="JSON"):
        plain(text)


def test_endless_digits_are_text() -> None:
    """A very long row of digits does not run into the interpreter's own limit."""
    assert plain("9" * 5000) == "9" * 5000


@pytest.mark.deploy
def test_table_is_what_kubectl_says(tmp_path: Path) -> None:
    """The recorded values are those of the kubectl that is installed."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed")
    texts = list(OBSERVED)
    lines = [f"  k{index}: {text}" for index, text in enumerate(texts)]
    head = ["apiVersion: example.org/v1", "kind: Any", "metadata: {name: a}", "spec:"]
    (tmp_path / "a.yaml").write_text("\n".join([*head, *lines]))
    done = subprocess.run(
        [kubectl, "label", "--local", "-f", str(tmp_path / "a.yaml"), "l=1", "-o", "json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    spec = json.loads(done.stdout)["spec"]
    assert {texts[int(key[1:])]: value for key, value in spec.items()} == OBSERVED

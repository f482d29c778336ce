"""Every operation of the OpenAPI document, asked with what it allows and with what it does not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from e2e.programs import serving

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(600)]

ADMIN, READING = {"Api-Key": "admin-key"}, {"Api-Key": "test-key"}
DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "openapi" / "mock-newrelic.json"
OPERATIONS = [
    (method.upper(), path)
    for path, methods in json.loads(DOCUMENT.read_text())["paths"].items()
    for method in methods
]
EXAMPLES = 20


@pytest.fixture(name="url", scope="module")
def _url() -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch, serving("mock_newrelic", "--ephemeral") as url:
        patch.setenv("NO_PROXY", "127.0.0.1")
        yield url


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_no_question_is_a_fault_of_the_server(url: str, method: str, path: str) -> None:
    """Whatever is asked, within the document or beside it, the answer is no 5xx."""
    document = schemathesis.openapi.from_url(f"{url}/openapi.json")
    headers = ADMIN if path.startswith("/control/") else READING

    operation = document[path][method]

    def ask(case: schemathesis.Case) -> None:
        if path == "/control/wait":
            case.query = {**(case.query or {}), "timeout": "1s"}
        answer = case.call(headers=headers, timeout=30)
        assert answer.status_code < 500, f"{case.as_curl_command()}\n{answer.text}"
        if (method, path) == ("POST", "/control/injections"):
            # What was injected would answer in place of the service.
            httpx.delete(f"{url}{path}", headers=ADMIN, trust_env=False)

    chosen = settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    chosen(given(case=operation.as_strategy(generation_mode=GenerationMode.POSITIVE))(ask))()
    # Where nothing in a question can be wrong, there is none.
    with suppress(Unsatisfiable):
        chosen(given(case=operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))(ask))()
    assert httpx.get(f"{url}/readyz", trust_env=False).status_code == 200

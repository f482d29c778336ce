"""The newRelic provider's rules that the recordings do not reach."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rollout_runner.argo import newrelic
from rollout_runner.argo.newrelic import NewRelicError, build_request, read_answer, read_profile

URL = "http://apm/graphql"
SECRET = {"personal-api-key": "k", "account-id": "7", "base-url-nerdgraph": f"{URL}/"}


def answer_of(document: Any, status: int = 200) -> newrelic.Answer:
    """Return what an answer with this JSON comes to."""
    return read_answer(status, json.dumps(document).encode(), url=URL)


@pytest.mark.parametrize(
    ("secret", "message"),
    [
        (None, 'secrets "newrelic" not found'),
        ({}, "account ID or personal API key not found"),
        ({"personal-api-key": "k"}, "account ID or personal API key not found"),
        (
            SECRET | {"account-id": "x"},
            'could not parse account ID: strconv.Atoi: parsing "x": invalid syntax',
        ),
    ],
)
def test_a_profile_that_cannot_be_used_is_refused_as_argo_does(
    secret: dict[str, str] | None, message: str
) -> None:
    """A missing Secret, key or account gives Argo's message."""
    with pytest.raises(NewRelicError) as caught:
        read_profile(secret, "newrelic")
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({"region": "EU"}, "https://api.eu.newrelic.com/graphql"),
        ({"region": "mars"}, "https://api.newrelic.com/graphql"),
        ({}, "https://api.newrelic.com/graphql"),
        ({"region": "EU", "base-url-nerdgraph": "http://x/graphql/"}, "http://x/graphql"),
    ],
)
def test_region_and_base_url_say_where_to_ask(fields: dict[str, str], url: str) -> None:
    """A base URL wins over the region; an unknown region is the US."""
    secret = {"personal-api-key": "k", "account-id": "7"} | fields
    assert read_profile(secret, "newrelic").url == url


def test_a_negative_timeout_makes_no_request() -> None:
    """A negative timeout is refused before anything is sent."""
    with pytest.raises(NewRelicError, match="positive"):
        build_request({"query": "q", "timeout": -1}, read_profile(SECRET, "newrelic"))


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again(status: int) -> None:
    """The client tries again where it may help, and then tells how often it has tried."""
    answer = read_answer(status, b"busy", url=URL)
    assert answer.retried
    assert answer.error == f"POST {URL} giving up after 4 attempt(s)"


def test_too_many_requests_inside_of_a_200_is_retried_and_named() -> None:
    """The error class in the body is part of the message."""
    answer = answer_of({"errors": [{"extensions": {"errorClass": "TOO_MANY_REQUESTS"}}]})
    assert answer.retried
    assert answer.error == f"POST {URL} giving up after 4 attempt(s): TOO_MANY_REQUESTS"


def test_a_key_that_is_refused_is_told_as_such_with_any_status() -> None:
    """A BAD_API_KEY error counts like a 401."""
    errors = {"errors": [{"message": "no", "extensions": {"error_code": "BAD_API_KEY"}}]}
    assert answer_of(errors, 403).error.startswith("401 response returned: Invalid credentials")
    assert answer_of({"errors": []}, 401).error == "401 response returned"
    assert answer_of({"errors": [{"message": "bad"}]}, 400).error == "400 response returned: bad"


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "json: cannot unmarshal array into Go value of type http.graphQLResponse"),
        (
            {"data": 1},
            (
                "json: cannot unmarshal number into Go struct field graphQLResponse.data of type"
                " newrelic.gqlNrglQueryResponse"
            ),
        ),
        (
            {"data": {"actor": {"account": {"nrql": "x"}}}},
            (
                "json: cannot unmarshal string into Go struct field .data.Actor.Account.NRQL of"
                " type nrdb.NRDBResultContainer"
            ),
        ),
        (
            {"data": {"actor": {"account": {"nrql": {"results": [True]}}}}},
            (
                "json: cannot unmarshal bool into Go struct field"
                " NRDBResultContainer.data.Actor.Account.NRQL.results of type nrdb.NRDBResult"
            ),
        ),
    ],
)
def test_a_level_of_the_wrong_type_is_told_as_go_does(document: Any, message: str) -> None:
    """Where a client in Go cannot decode the answer, its message is given."""
    assert answer_of(document).error == message


def test_a_page_is_an_error_and_never_data() -> None:
    """A login page with status 200 is an error with Go's words."""
    answer = read_answer(200, b"<html>", url=URL)
    assert answer.error == "invalid character '<' looking for beginning of value"
    assert answer.rows is None


def test_a_bare_null_is_an_error_that_names_the_crash() -> None:
    """The real controller panics on it."""
    assert "crashes" in answer_of(None).error


def test_waits_double_and_follow_the_server() -> None:
    """Waits are 1, 2 and 4 seconds, or what the server asks for."""
    assert [newrelic.retry_wait(attempt) for attempt in (1, 2, 3)] == [1.0, 2.0, 4.0]
    assert newrelic.retry_wait(1, status=429, retry_after="12") == 12.0
    assert newrelic.retry_wait(1, status=500, retry_after="12") == 1.0

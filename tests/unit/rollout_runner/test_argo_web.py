"""The web provider's request and reading."""

from __future__ import annotations

from typing import Any

import pytest

from rollout_runner.argo.types import ArgoVersion, Phase
from rollout_runner.argo.web import (
    OAuth2,
    WebProviderError,
    WebReading,
    build_request,
    measure,
    request_error,
)

_URL = "http://analyzer.qa.svc.cluster.local:8080/verdict"


def _measure(
    body: bytes, *, status: int = 200, version: ArgoVersion = ArgoVersion.V1_10, **given: str
) -> WebReading:
    return measure(
        status,
        body,
        json_path=given.get("json_path", ""),
        success_condition=given.get("success", ""),
        failure_condition=given.get("failure", ""),
        version=version,
    )


class TestRequest:
    """What is sent."""

    def test_defaults(self) -> None:
        """GET, ten seconds, Go's own headers."""
        request = build_request({"url": _URL})
        assert (request.method, request.body, request.timeout_seconds) == ("GET", b"", 10)
        assert dict(request.headers) == {
            "User-Agent": "Go-http-client/1.1",
            "Accept-Encoding": "gzip",
        }
        assert not request.insecure
        assert request.oauth2 is None

    @pytest.mark.parametrize(("given", "seconds"), [(0, 10), (-3, 10), (7, 7), (None, 10)])
    def test_timeout(self, given: int | None, seconds: int) -> None:
        """Nothing and what is not positive mean ten seconds."""
        assert build_request({"url": _URL, "timeoutSeconds": given}).timeout_seconds == seconds

    def test_headers_are_canonical_and_the_last_wins(self) -> None:
        """`x-a` and `X-A` are one header; Host has no effect."""
        headers = [
            {"key": "x-a", "value": "1"},
            {"key": "X-A", "value": "2"},
            {"key": "host", "value": "other.example"},
            {"key": "content-length", "value": "9"},
        ]
        assert dict(build_request({"url": _URL, "headers": headers}).headers) == {
            "X-A": "2",
            "User-Agent": "Go-http-client/1.1",
            "Accept-Encoding": "gzip",
        }

    def test_json_body_is_compact_and_typed(self) -> None:
        """Keys sorted, markup escaped, Content-Type after the user's headers."""
        web = {
            "url": _URL,
            "method": "POST",
            "jsonBody": {"b": [1, 2.5], "a": "<"},
            "headers": [{"key": "content-type", "value": "text/plain"}],
        }
        request = build_request(web)
        assert request.body == b'{"a":"\\u003c","b":[1,2.5]}'
        assert dict(request.headers)["Content-Type"] == "application/json"

    def test_text_body_gets_no_type(self) -> None:
        """A plain body is sent as it is."""
        request = build_request({"url": _URL, "method": "PATCH", "body": "é"})
        assert request.body == "é".encode()
        assert "Content-Type" not in dict(request.headers)

    def test_oauth2(self) -> None:
        """Client credentials are handed to the adapter."""
        config = {"tokenUrl": "http://t", "clientId": "i", "clientSecret": "s", "scopes": ["x"]}
        request = build_request({"url": _URL, "authentication": {"oauth2": config}})
        assert request.oauth2 == OAuth2(
            token_url="http://t", client_id="i", client_secret="s", scopes=("x",)
        )

    @pytest.mark.parametrize(
        ("web", "message"),
        [
            pytest.param(
                {"method": "POST", "body": "x", "jsonBody": {}},
                "use either Body or JSONBody; both cannot exists for WebMetric payload",
                id="two-bodies",
            ),
            pytest.param(
                {"body": "x"},
                "Body/JSONBody can only be used with POST or PUT WebMetric Method types",
                id="body-with-get",
            ),
            pytest.param(
                {"jsonBody": []},
                "Body/JSONBody can only be used with POST or PUT WebMetric Method types",
                id="json-body-with-get",
            ),
            pytest.param(
                {"method": "BAD METHOD"}, 'net/http: invalid method "BAD METHOD"', id="method"
            ),
            pytest.param({"jsonPath": "{$.a"}, "unclosed action", id="json-path"),
            pytest.param(
                {"authentication": {"oauth2": {"tokenUrl": "http://t", "clientId": "i"}}},
                "missing mandatory parameter in metric for OAuth2 setup",
                id="oauth2",
            ),
            pytest.param(
                {"headers": [{"key": "Bad Header", "value": "1"}]},
                f'Get "{_URL}": net/http: invalid header field name "Bad Header"',
                id="header-name",
            ),
            pytest.param(
                {"headers": [{"key": "X", "value": "a\nb"}]},
                f'Get "{_URL}": net/http: invalid header field value for "X"',
                id="header-value",
            ),
            pytest.param(
                {"url": "bad://url.com"},
                'Get "bad://url.com": unsupported protocol scheme "bad"',
                id="scheme",
            ),
            pytest.param({"url": ""}, 'Get "": unsupported protocol scheme ""', id="no-url"),
            pytest.param(
                {"url": "http:///x"}, 'Get "http:///x": http: no Host in request URL', id="no-host"
            ),
            pytest.param(
                {"url": "http://a b/"},
                'parse "http://a b/": invalid character " " in host name',
                id="host",
            ),
            pytest.param(
                {"url": "http://a:b/"},
                'parse "http://a:b/": invalid port ":b" after host',
                id="port",
            ),
            pytest.param(
                {"url": "http://a/%zz"},
                'parse "http://a/%zz": invalid URL escape "%zz"',
                id="escape",
            ),
            pytest.param({"url": ":x"}, 'parse ":x": missing protocol scheme', id="no-scheme"),
            pytest.param(
                {"url": "1http://x"},
                'parse "1http://x": first path segment in URL cannot contain colon',
                id="colon",
            ),
            pytest.param(
                {"url": "http://[::1/"}, "parse \"http://[::1/\": missing ']' in host", id="bracket"
            ),
            pytest.param(
                {"url": "http://a\n"},
                'parse "http://a\\n": net/url: invalid control character in URL',
                id="control",
            ),
        ],
    )
    def test_refuses(self, web: dict[str, Any], message: str) -> None:
        """With Argo's words, or Go's."""
        with pytest.raises(WebProviderError) as caught:
            build_request({"url": _URL} | web)
        assert str(caught.value) == message

    def test_error_names_the_method_as_go_does(self) -> None:
        """Only the first letter is large."""
        assert request_error("POST", _URL, "EOF") == f'Post "{_URL}": EOF'


class TestReading:
    """What is made of an answer."""

    @pytest.mark.parametrize("status", [199, 300, 404, 500])
    def test_other_status_is_an_error(self, status: int) -> None:
        """The body is not looked at."""
        reading = _measure(b'{"ok": true}', status=status, success="result.ok")
        assert reading == WebReading(
            phase=Phase.ERROR, message=f"received non 2xx response code: {status}"
        )

    def test_value_is_what_the_path_selects(self) -> None:
        """Encoded as Go encodes it."""
        reading = _measure(b'{"v": {"b": 1.0, "a": "<"}}', json_path="{$.v}")
        assert reading.value == '{"a":"\\u003c","b":1}'

    def test_error_in_a_condition_leaves_no_value(self) -> None:
        """The user sees the message but not the data."""
        reading = _measure(b'{"v": 1}', success="result.w > 1")
        assert (reading.phase, reading.value) == (Phase.ERROR, "")
        assert "<nil> > int" in reading.message

    def test_plain_text_is_evaluated_from_1_10_on(self) -> None:
        """A condition sees the text as a string."""
        assert _measure(b"ok", success="result == 'ok'").phase is Phase.SUCCESSFUL
        assert _measure(b"no", success="result == 'ok'").phase is Phase.FAILED
        assert not _measure(b"no", success="result == 'ok'").unevaluated

    def test_plain_text_passes_unevaluated_before(self) -> None:
        """Even `{"v": NaN}` passes; the reading says that nothing was evaluated."""
        reading = _measure(b'{"v": NaN}', success="result.v > 1", version=ArgoVersion.V1_9)
        assert reading == WebReading(phase=Phase.SUCCESSFUL, value='{"v": NaN}', unevaluated=True)

    def test_plain_text_without_conditions_is_not_remarkable(self) -> None:
        """There was nothing to evaluate."""
        assert not _measure(b"ok", version=ArgoVersion.V1_9).unevaluated

    def test_path_errors_carry_argos_prefix(self) -> None:
        """So that the user finds the field."""
        reading = _measure(b"{}", json_path="{$.a}")
        assert reading.message == "Could not find JSONPath in body: a is not found"

    def test_path_without_a_result(self) -> None:
        """An empty selection is an Error."""
        reading = _measure(b'{"a": []}', json_path="{$.a[*]}")
        assert reading.message == "result of web metric produced no value"

    def test_wrong_path_is_an_error_here_too(self) -> None:
        """A caller that skipped `build_request` gets an Error and no exception."""
        assert _measure(b"{}", json_path="{$.a").phase is Phase.ERROR

    @pytest.mark.parametrize("version", list(ArgoVersion))
    def test_bare_null_is_an_error(self, version: ArgoVersion) -> None:
        """The real controller would crash; nothing passes here."""
        reading = _measure(b"null", version=version)
        assert reading.phase is Phase.ERROR
        assert "bare null" in reading.message

    def test_bytes_that_are_no_text(self) -> None:
        """They are shown with replacement characters."""
        assert _measure(b"\xff\xfe").value == "��"

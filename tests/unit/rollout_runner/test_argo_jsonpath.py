"""The JSONPath dialect of the web provider."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout_runner.argo.jsonpath import (
    JsonPathCrashError,
    JsonPathError,
    NoResultError,
    compile_path,
)

_DOCUMENT: dict[str, Any] = {
    "a": {"b": 0.97},
    "list": [{"name": "x", "value": 1.0}, {"name": "y", "value": 2.0}, {"name": "z", "value": 3.0}],
    "n": None,
    "empty": [],
    "k.d": 5.0,
    "k-d": 4.0,
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param("{$}", _DOCUMENT, id="all"),
        pytest.param("{}", _DOCUMENT, id="empty-braces"),
        pytest.param("{ $.a.b }\n", 0.97, id="spaces"),
        pytest.param("{$['a']['b']}", 0.97, id="brackets"),
        pytest.param("$.a.b", "$.a.b", id="no-braces-is-a-literal"),
        pytest.param("value={$.a.b}", "value=", id="leading-text-comes-first"),
        pytest.param("{$.list[-1].value}", 3.0, id="negative-index"),
        pytest.param("{$.list[*].value}", 1.0, id="first-match-only"),
        pytest.param("{$.list[1:].value}", 2.0, id="slice"),
        pytest.param("{$.list[2,0].value}", 3.0, id="union"),
        pytest.param("{$..value}", 1.0, id="descent"),
        pytest.param('{$.list[?(@.name=="y")].value}', 2.0, id="filter-text"),
        pytest.param("{$.list[?(@.value>1.0)].name}", "y", id="filter-float"),
        pytest.param("{$.list[?(@.name)].value}", 1.0, id="filter-exists"),
        pytest.param("{$.k\\.d}", 5.0, id="escaped-dot"),
        pytest.param("{$.k-d}", 4.0, id="dash"),
        pytest.param("{$.n}", None, id="null-member"),
        pytest.param("{range $.list[*]}{.value}{end}{$.a}", 1.0, id="range"),
        pytest.param('{"lit"}', "lit", id="quoted"),
    ],
)
def test_selects(path: str, expected: Any) -> None:
    """The first value of the first expression."""
    assert compile_path(path).first(_DOCUMENT) == expected


@pytest.mark.parametrize(
    ("path", "message"),
    [
        pytest.param("{$.missing}", "missing is not found", id="missing-key"),
        pytest.param("{.}", " is not found", id="empty-name"),
        pytest.param("{a.b}", "unrecognized identifier a", id="no-dollar"),
        pytest.param(
            "{$.list[9].value}", "array index out of bounds: index 9, length 3", id="index"
        ),
        pytest.param(
            "{$.list[?(@.value>1)].name}", "incompatible types for comparison", id="float-and-int"
        ),
        pytest.param("{$.a[0]}", "map[string]interface {} is not array or slice", id="not-a-list"),
        pytest.param("{$['k.d']}", "k is not found", id="dot-in-brackets"),
        pytest.param("{$.a}{$.missing}", "missing is not found", id="later-expression"),
    ],
)
def test_does_not_fit(path: str, message: str) -> None:
    """The words of client-go."""
    with pytest.raises(JsonPathError) as caught:
        compile_path(path).first(_DOCUMENT)
    assert str(caught.value) == message


@pytest.mark.parametrize("path", ["{$.empty[*]}", "{$.list[?(@.name=='q')]}", ""])
def test_selects_nothing(path: str) -> None:
    """An empty selection is told apart from a path that does not fit."""
    with pytest.raises(NoResultError):
        compile_path(path).first(_DOCUMENT)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("{$.a.b", "unclosed action"),
        ('{$["a"]}', 'invalid array index "a"'),
        ("{$.list[(@.length-1)]}", "invalid array index (@.length-1)"),
        ("{$.list[0}", "unterminated array"),
        ("{$.list[?(@.a}", "unterminated filter"),
        ("{$.....a}", "invalid multiple recursive descent"),
        ("{'a}", "unterminated quoted string"),
        ("{1.2.3}", "cannot parse number 1.2.3"),
        ("{$|}", "unrecognized character in action: U+007C '|'"),
    ],
)
def test_does_not_parse(path: str, message: str) -> None:
    """Argo cannot make the provider then."""
    with pytest.raises(JsonPathError) as caught:
        compile_path(path)
    assert str(caught.value) == message


@pytest.mark.parametrize("path", ["{$}", "{$[0]}", "{range $}{@}{end}"])
def test_null_document_would_crash_the_controller(path: str) -> None:
    """client-go panics, and the controller does not recover."""
    with pytest.raises(JsonPathCrashError):
        compile_path(path).first(None)


def test_null_document_without_the_member_is_an_ordinary_error() -> None:
    """Asking a null for a member is only an error."""
    with pytest.raises(JsonPathError, match="a is not found"):
        compile_path("{$.a}").first(None)


_FRAGMENTS = st.sampled_from(
    [
        "$",
        "@",
        ".a",
        ".list",
        "[0]",
        "[*]",
        "[-1]",
        "[1:]",
        "[0,1]",
        "['a']",
        "..",
        ".*",
        "[?(@.name=='x')]",
        "[?(@.value>1.0)]",
        "range",
        "end",
        "{",
        "}",
        "'q'",
        "1",
        "1.5",
        "true",
        ".",
        "[",
        "]",
        "(",
        ")",
        "é",
    ]
)


@given(st.text(max_size=30) | st.lists(_FRAGMENTS, max_size=8).map("".join).map("{{{}}}".format))
def test_any_text_selects_or_is_refused(text: str) -> None:
    """Nothing but JsonPathError is raised."""
    with suppress(JsonPathError):
        compile_path(text).first(_DOCUMENT)

"""What is NRQL and what is not; errors say where."""

# ruff: noqa: S608 - the language looks like SQL, and there is no database
from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mock_newrelic.domain.nrql import ast
from mock_newrelic.domain.nrql.errors import NrqlError
from mock_newrelic.domain.nrql.parser import parse, parse_condition

_CLAUSES = [
    "SELECT count(*)", "FROM Transaction", "WHERE appName = 'a'", "FACET host",
    "SINCE 5 minutes ago", "UNTIL now", "LIMIT 3", "TIMESERIES 1 minute",
    "COMPARE WITH 1 day ago", "WITH TIMEZONE 'UTC'", "ORDER BY count(*) DESC", "EXTRAPOLATE",
]  # fmt: skip


@given(order=st.permutations(_CLAUSES))
@settings(max_examples=25, deadline=None)
def test_clauses_come_in_any_order(order: list[str]) -> None:
    """The same clauses mean the same query."""
    assert parse(" ".join(order)) == parse(" ".join(_CLAUSES))


def test_keywords_and_functions_know_no_case() -> None:
    """Attributes do, keywords and functions do not."""
    upper = parse("SELECT COUNT(*), Average(duration) FROM Transaction WHERE a IS NOT NULL")
    assert upper == parse("select count(*), average(duration) from Transaction where a is not null")
    assert parse("SELECT a FROM T") != parse("SELECT A FROM T")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a = 1 OR b = 2 AND NOT c = 3", "or"),
        ("(a = 1 OR b = 2) AND NOT c = 3", "and"),
    ],
)
def test_and_binds_tighter_than_or(text: str, tree: str) -> None:
    """Brackets change it."""
    kind = ast.Or if tree == "or" else ast.And
    assert isinstance(parse_condition(text), kind)


def test_multiplication_binds_tighter_than_addition() -> None:
    """And operators of one kind group from the left."""
    tree = parse_condition("1 + 2 * 3 - 4 = 0")
    one, two, three, four = (ast.Literal(float(number)) for number in (1, 2, 3, 4))
    product = ast.Arithmetic("*", two, three)
    total = ast.Arithmetic("-", ast.Arithmetic("+", one, product), four)
    assert tree == ast.Compare("=", total, ast.Literal(0.0))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("'it''s'", "it's"),
        (r"'it\'s'", "it's"),
        ('"double"', "double"),
        (r"'a\d'", r"a\d"),
        ("-1.5", -1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("TRUE", True),
        ("null", None),
    ],
)
def test_literals(text: str, value: object) -> None:
    """Texts in either quote, numbers in every form, booleans, NULL."""
    assert parse_condition(f"x = {text}") == ast.Compare("=", ast.Ref("x"), ast.Literal(value))  # type: ignore[arg-type]


def test_comments_are_no_part_of_a_query() -> None:
    """Behind two dashes, two slashes, or between /* and */."""
    text = "SELECT count(*) -- all\nFROM Transaction // of them\n/* for\nnow */ LIMIT 5"
    assert parse(text) == parse("SELECT count(*) FROM Transaction LIMIT 5")


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("", 1, 1, "no SELECT"),
        ("SELECT count(*)", 1, 1, "no FROM"),
        ("TOOMANY", 1, 1, "no SELECT"),
        ("SELECT count(* FROM T", 1, 16, "')'"),
        ("SELECT count(*) FROM", 1, 21, "an event type"),
        ("SELECT count(*)\nFROM T\nWHERE a ==", 3, 10, "an attribute"),
        ("SELECT count(*) FROM T WHERE a = 'x", 1, 34, "quote"),
        ("SELECT cuont(*) FROM T", 1, 8, "did you mean count?"),
        ("SELECT frobnicate(*) FROM T", 1, 8, "unknown function"),
        ("SELECT count(*) FROM T SINCE yesteryear", 1, 30, "a time"),
        ("SELECT count(*) FROM T SINCE 5 fortnights ago", 1, 32, "the end"),
        ("SELECT count(*) FROM T LIMIT 0", 1, 30, "LIMIT"),
        ("SELECT count(*) FROM T LIMIT 9999", 1, 30, "LIMIT"),
        ("SELECT count(*) FROM T SELECT count(*)", 1, 24, "twice"),
        ("SELECT count(*) FROM T; DROP", 1, 23, "character"),
        ("SELECT average() FROM T", 1, 8, "arguments"),
        ("SELECT count(*) FROM T extra", 1, 24, "expected"),
        ("SELECT a FROM T WHERE from = 1", 1, 23, "expected"),
        ("SELECT count(*) FROM T TIMESERIES 100 milliseconds", 1, 35, "second"),
    ],
)
def test_errors_say_where_and_what(text: str, line: int, column: int, words: str) -> None:
    """Line and column count from 1; nothing unknown is answered in part."""
    with pytest.raises(NrqlError) as caught:
        parse(text)
    described = caught.value.describe(text)
    assert f"line {line} position {column}:" in described
    assert words in described


@pytest.mark.parametrize(
    "text", ["(" * 5000, "NOT " * 5000, "-" * 5000, "a + " * 5000, "x" * 40000]
)
def test_what_is_nested_too_deeply_is_refused(text: str) -> None:
    """And does not exhaust the stack."""
    with pytest.raises(NrqlError):
        parse(f"SELECT count(*) FROM T WHERE {text}")


def _parse_or_refuse(text: str) -> None:
    """Anything but NrqlError fails the test; what is refused can be described."""
    try:
        parse(text)
    except NrqlError as error:
        error.describe(text)


_WORDS = st.sampled_from([
    "SELECT", "FROM", "WHERE", "FACET", "CASES", "SINCE", "UNTIL", "AGO", "LIMIT", "OFFSET",
    "ORDER", "BY", "TIMESERIES", "AUTO", "SLIDE", "COMPARE", "WITH", "TIMEZONE", "AS", "AND", "OR",
    "NOT", "IN", "IS", "NULL", "LIKE", "RLIKE", "count", "average", "filter", "percentage", "apdex",
    "duration", "appName", "Transaction", "minute", "hours", "(", ")", "[", "]", ",", "*", "/", "+",
    "-", "=", "!=", "<", ">=", ":", "'x'", '"y"', "r'z'", "`q`", "1", "0.5", "5", "now", "last",
])  # fmt: skip


@given(words=st.lists(_WORDS, max_size=40))
@settings(max_examples=400, deadline=None)
def test_any_words_are_a_query_or_an_error(words: list[str]) -> None:
    """The parser raises nothing but its own error."""
    text = " ".join(words)
    _parse_or_refuse(text)


@given(text=st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_text_is_a_query_or_an_error(text: str) -> None:
    """Control characters, surrogates and all."""
    _parse_or_refuse(text)

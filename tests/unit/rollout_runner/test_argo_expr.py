"""The condition language: what surprises people, told one by one."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout_runner.argo.expr import (
    ConditionError,
    Dialect,
    Floats,
    NrdbRow,
    compile_condition,
    evaluate,
    type_of,
)
from rollout_runner.argo.expr.gotext import format_value, parse_float, parse_int, quote

_DOCUMENT = {
    "verdict": "pass",
    "score": 0.97,
    "count": "12",
    "ci": [0.94, 0.99],
    "nothing": None,
    "flag": False,
    "checks": [{"name": "p95", "ok": True, "p": 0.4}, {"name": "errors", "ok": False, "p": 0.01}],
}


def _error(condition: str, result: Any = _DOCUMENT, dialect: Dialect = Dialect.V1_17) -> str:
    with pytest.raises(ConditionError) as caught:
        evaluate(condition, result, dialect=dialect)
    return str(caught.value)


class TestStaticTypes:
    """The top-level type is known before the condition runs."""

    @pytest.mark.parametrize(
        ("condition", "result", "message"),
        [
            pytest.param(
                "result > 1",
                "ok",
                "invalid operation: > (mismatched types string and int)",
                id="string",
            ),
            pytest.param(
                "result == 1",
                True,
                "invalid operation: == (mismatched types bool and int)",
                id="bool-and-number",
            ),
            pytest.param(
                "result == 1",
                Floats([1.0]),
                "invalid operation: == (mismatched types []float64 and int)",
                id="vector",
            ),
            pytest.param(
                "result % 2 == 1",
                7.0,
                "invalid operation: % (mismatched types float64 and int)",
                id="remainder-of-a-float",
            ),
            pytest.param("result.v", "ok", "type string has no field v", id="member-of-a-string"),
            pytest.param(
                "result[0] > 1",
                NrdbRow(count=1.0),
                "cannot use int to get an element from nrdb.NRDBResult",
                id="index-of-a-row",
            ),
            pytest.param("nope > 1", 1.0, "unknown name nope", id="unknown-name"),
            pytest.param("upper(1) == 'A'", 1.0, None, id="argument"),
        ],
    )
    def test_misfit_is_an_error_before_anything_runs(
        self, condition: str, result: Any, message: str | None
    ) -> None:
        """An operation that can never apply is an error and not false."""
        expected = message or "cannot use int as argument (type string) to call upper "
        assert _error(condition, result) == expected

    def test_short_circuit_does_not_save_a_misfit(self) -> None:
        """`isNil(result) || result < 1` is an error on nil: the right side is checked too."""
        assert "mismatched types unknown and int" in _error("isNil(result) || result < 1", None)
        assert evaluate("isNil(result) || asFloat(result) < 1", None)

    def test_dialects_name_the_type_of_nil_differently(self) -> None:
        """The older library prints it as Go's %v."""
        assert "mismatched types <nil> and int" in _error("result < 1", None, Dialect.V1_15)

    def test_literal_operand_is_checked_though_it_is_folded_away(self) -> None:
        """The check comes before the folding."""
        assert _error("false && result > 1", "ok").startswith("invalid operation")


class TestDynamicTypes:
    """What is inside of a document is known only when the condition runs."""

    @pytest.mark.parametrize(
        ("condition", "expected"),
        [
            pytest.param("result.missing == nil", True, id="missing-is-nil"),
            pytest.param("result.missing == 1", False, id="missing-equals-nothing"),
            pytest.param("result.count == 12", False, id="equality-across-types-is-false"),
            pytest.param("result.missing?.x == nil", True, id="optional-chain"),
            pytest.param("(result.nothing ?? 0) < 1", True, id="coalescing"),
            pytest.param("result.flag && result.missing > 1", False, id="and-stops"),
            pytest.param("!result.flag || result.missing > 1", True, id="or-stops"),
            pytest.param("result.ci[-1] == 0.99", True, id="negative-index"),
            pytest.param("'verdict' in result", True, id="key-in-map"),
            pytest.param("result.verdict in ['pass', 'warn']", True, id="in-strings"),
        ],
    )
    def test_value(self, condition: str, expected: bool) -> None:  # noqa: FBT001 - a table column
        """Missing keys are nil and unequal types are unequal."""
        assert evaluate(condition, _DOCUMENT) is expected

    @pytest.mark.parametrize(
        ("condition", "message"),
        [
            pytest.param("result.missing > 1", "invalid operation: <nil> > int", id="nil-order"),
            pytest.param("result.count > 5", "invalid operation: string > int", id="string-order"),
            pytest.param("result.missing.x", "cannot fetch x from <nil>", id="member-of-nil"),
            pytest.param(
                "result.ci[9] > 1", "index out of range: 9 (array length is 2)", id="out-of-range"
            ),
            pytest.param("result.score", "expected bool, but got float64", id="no-bool"),
            pytest.param(
                "!result.score",
                "interface conversion: interface {} is float64, not bool",
                id="not-of-a-number",
            ),
            pytest.param(
                "result.score in ['a']",
                "reflect.Value.MapIndex: value of type float64 is not assignable to type string",
                id="number-in-strings",
            ),
            pytest.param("max([]) > 0", "invalid operation: <nil> > int", id="max-of-nothing"),
            pytest.param("(1..2000000)[0] == 1", "memory budget exceeded", id="huge-range"),
        ],
    )
    def test_error(self, condition: str, message: str) -> None:
        """An operation that does not apply to the value is an error with the library's text."""
        assert _error(condition) == message


class TestLists:
    """Predicates and aggregates."""

    def test_all_of_nothing_is_true(self) -> None:
        """An empty Prometheus vector satisfies `all`: no data would pass."""
        assert evaluate("all(result, # >= 0.95)", Floats())
        assert not evaluate("any(result, # >= 0.95)", Floats())

    def test_sum_and_mean_of_nothing_are_zero(self) -> None:
        """No data looks like zero; that is the library, so a gate must ask for len first."""
        assert evaluate("sum(result) == 0 and mean(result) == 0", Floats())

    def test_nan_makes_every_comparison_false(self) -> None:
        """NaN fails `>=` and `<` alike."""
        result = Floats([float("nan")])
        assert not evaluate("result[0] >= 0.95", result)
        assert not evaluate("result[0] < 0.95", result)
        assert evaluate("isNaN(result[0])", result)

    def test_predicates_see_fields_and_positions(self) -> None:
        """`.name`, `#` and `#index` mean the element, the element and its position."""
        assert evaluate("filter(result.checks, .p < 0.05)[0].name == 'errors'", _DOCUMENT)
        assert evaluate("map(result.ci, #index)[1] == 1", _DOCUMENT)
        assert evaluate("reduce(result.ci, #acc + #, 0) > 1.9", _DOCUMENT)

    def test_search_stops_at_the_first_match(self) -> None:
        """`filter(...)[0]` is rewritten, so what comes after the match is not evaluated."""
        result = [{"x": 1.0}, {"y": 2.0}]
        assert evaluate("filter(result, .x > 0)[0].x == 1", result)
        assert "<nil> > int" in _error("filter(result, .x > 0)[1].x == 1", result)

    def test_find_last_hides_what_stands_before_it(self) -> None:
        """The library compares true with the element if `findLast` stands on the right."""
        assert evaluate("findLast(result.ci, # > 0) == 0.99", _DOCUMENT)
        assert not evaluate("0.99 == findLast(result.ci, # > 0)", _DOCUMENT)

    def test_find_last_is_refused_where_it_hides_more(self) -> None:
        """Rather an error that says what to do than a guess."""
        assert "write it on the left" in _error("max(1, findLast(result.ci, # > 0)) == 1")


class TestDialects:
    """What the older library does otherwise."""

    @pytest.mark.parametrize(
        ("condition", "modern", "older"),
        [
            pytest.param("[1.0] == [1]", True, False, id="lists-compare-by-type"),
            pytest.param("len('é') == 1", True, False, id="length-in-bytes"),
            pytest.param("1 + 1 not in [3]", True, False, id="lost-negation"),
        ],
    )
    def test_other_value(self, condition: str, modern: bool, older: bool) -> None:  # noqa: FBT001
        """The same text is another value."""
        assert evaluate(condition, 1.0) is modern
        assert evaluate(condition, 1.0, dialect=Dialect.V1_15) is older

    @pytest.mark.parametrize(
        "condition",
        [
            pytest.param("result == 1; true", id="sequence"),
            pytest.param("`a` == 'a'", id="raw-string"),
            pytest.param("if result == 1 { true } else { false }", id="if"),
            pytest.param("0 < result < 2", id="chained-comparison"),
            pytest.param("0b1 == 1", id="binary-literal"),
            pytest.param("len(uniq([1, 1])) == 1", id="new-function"),
            pytest.param("max([1, 2]) == 2", id="max-of-a-list"),
        ],
    )
    def test_error_before_1_10(self, condition: str) -> None:
        """New syntax is an error in the older library."""
        assert evaluate(condition, 1.0)
        assert _error(condition, 1.0, Dialect.V1_15)


class TestSyntax:
    """Precedences, literals and what is no syntax."""

    @pytest.mark.parametrize(
        "condition",
        [
            "1 + 2 * 3 == 7",
            "2 ** 3 ** 2 == 512",
            "-2 ** 2 == -4",
            "7 / 2 == 3.5",
            "-7 % 3 == -1",
            "true or false and false",
            "not false and true",
            "result ?: false",
            "'a\\u00e9\\t' == \"a\\u00e9\\t\"",
            "1_000 == 0x3e8",
            ".5 == 5e-1",
            "let x = 2; x * x == 4",
            "[1, 2, 3,][1:][0] == 2",
            "{a: 1, 'b': 2}.b == 2",
            "result /* a comment */ // and another",
            "'abc' matches '^a.c$' and 'abc\\n' not matches 'c$'",
            "1 | abs() == 1",
        ],
    )
    def test_true(self, condition: str) -> None:
        """Reads as the library reads it."""
        assert evaluate(condition, True) is True

    @pytest.mark.parametrize(
        ("condition", "message"),
        [
            ("result = 1", 'unexpected token Operator("=")'),
            ("# comment", 'unexpected token Operator("#")'),
            ("result ==", "unexpected token EOF"),
            ("'abc", "literal not terminated"),
            ("1x == 1", 'bad number syntax: "1x"'),
            ("result @ 1", "unrecognized character: U+0040 '@'"),
            ("result matches '('", "error parsing regexp: missing closing ): `(`"),
            (
                "result matches 'a(?=b)'",
                "error parsing regexp: invalid or unsupported Perl syntax: `(?=`",
            ),
            ("1 % 0 == 0", "integer divide by zero"),
            ("/* open", "unclosed comment"),
        ],
    )
    def test_error(self, condition: str, message: str) -> None:
        """Says what the library says."""
        assert _error(condition, "x") == message

    def test_deep_nesting_is_an_error(self) -> None:
        """A condition that would exhaust the stack is refused."""
        assert "nested too deeply" in _error("(" * 5000 + "true" + ")" * 5000)


class TestTime:
    """`now()` and durations: time comes from outside."""

    def test_now_is_given(self) -> None:
        """The caller's instant is what `now()` gives."""
        assert evaluate("now().Year() == 2026 and now().Unix() == 1770000000", 1.0, now=1.77e9)

    def test_now_without_a_clock_is_an_error(self) -> None:
        """There is no default instant."""
        assert _error("now().Year() > 2000") == "now() has no clock here"

    def test_times_and_durations_compare(self) -> None:
        """A fresh measurement can be asked for."""
        condition = "now() - date(result) < duration('5m')"
        assert evaluate(condition, "2026-02-02T02:39:00Z", now=1.77e9)
        assert not evaluate(condition, "2026-02-02T02:30:00Z", now=1.77e9)


class TestProgram:
    """Compiling once, running often."""

    def test_compiled_once_per_type(self) -> None:
        """The same text and type give the same program; another type is compiled anew."""
        number = compile_condition("result == result", type_of(1.0))
        assert compile_condition("result == result", type_of(2.0)) is number
        assert compile_condition("result == result", type_of("a")) is not number

    def test_runs_do_not_see_each_other(self) -> None:
        """Variables and scopes belong to one run."""
        program = compile_condition("let x = result.a; any([x], # > 1)", type_of({}))
        assert [program.run({"a": value}) for value in (2.0, 0.0, 2.0)] == [True, False, True]

    def test_unknown_python_value_is_a_bug(self) -> None:
        """A value that no provider makes is not guessed at."""
        with pytest.raises(TypeError, match="no result that a metric provider can give"):
            evaluate("true", {1, 2})


class TestGoText:
    """How Go prints and reads."""

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            pytest.param(1e6, "1e+06", id="large"),
            pytest.param(100000.5, "100000.5", id="plain"),
            pytest.param(1e-5, "1e-05", id="small"),
            pytest.param(None, "<nil>", id="nil"),
            pytest.param([1.0, "a", None], "[1 a <nil>]", id="list"),
            pytest.param({"b": True, "a": 0.5}, "map[a:0.5 b:true]", id="map"),
        ],
    )
    def test_format(self, value: Any, text: str) -> None:
        """As `%v`."""
        assert format_value(value) == text

    @pytest.mark.parametrize("text", ["", " 3", "3.5", "0x10", "1_000", "٣"])
    def test_integers_are_strict(self, text: str) -> None:
        """strconv.ParseInt takes ASCII digits alone."""
        with pytest.raises(ConditionError, match=r"strconv\.ParseInt: parsing .*: invalid syntax"):
            parse_int(text)

    @pytest.mark.parametrize("text", ["", "1_0", " 1", "+nan", "0x1", "1e"])
    def test_floats_are_strict(self, text: str) -> None:
        """strconv.ParseFloat takes no spaces, underscores or signed NaN."""
        with pytest.raises(ConditionError, match="invalid syntax"):
            parse_float(text)

    @given(st.floats(allow_nan=False, allow_infinity=False))
    def test_floats_read_back(self, number: float) -> None:
        """What is printed reads back as the same number."""
        assert parse_float(format_value(number)) == number

    def test_quote(self) -> None:
        """As strconv.Quote."""
        assert quote('a"\n\x00é') == '"a\\"\\n\\x00é"'


_FRAGMENTS = st.sampled_from(
    [
        "result",
        ".a",
        "[0]",
        "['k']",
        "1",
        "2.5",
        "'x'",
        "true",
        "nil",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ";",
        ":",
        "?",
        "??",
        "?.",
        "..",
        "+",
        "-",
        "*",
        "/",
        "%",
        "**",
        "!",
        "not",
        "and",
        "or",
        "in",
        "matches",
        "contains",
        "==",
        "!=",
        "<",
        "<=",
        ">",
        ">=",
        "|",
        "#",
        ".x",
        "#index",
        "all(",
        "map(",
        "filter(",
        "len(",
        "sum(",
        "max(",
        "first(",
        "findLast(",
        "let",
        "x",
        "=",
        "if",
        "else",
        "::",
        "`",
        "@",
        "asInt(",
        "isNaN(",
        "default(",
        "now()",
        "duration('1h')",
        "toJSON(",
    ]
)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize("dialect", list(Dialect))
@given(text=st.text(max_size=40) | st.lists(_FRAGMENTS, max_size=12).map(" ".join), value=_VALUES)
def test_any_text_gives_a_bool_or_a_condition_error(
    dialect: Dialect, text: str, value: Any
) -> None:
    """Whatever is written as a condition and answered as a result, nothing else is raised."""
    with suppress(ConditionError):
        assert isinstance(evaluate(text, value, dialect=dialect), bool)

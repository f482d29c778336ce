"""JSON as Go reads and writes it."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout_runner.argo.gojson import GoJsonError, decode, encode

_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"]), max_size=4), inner, max_size=4
        )
    ),
    max_leaves=12,
)


class TestDecode:
    """Reading into any."""

    def test_numbers_are_floats(self) -> None:
        """Integers too: beyond 2**53 they lose precision here."""
        numbers = decode("[1, 12345678901234567890, -0, 1e2]")
        assert [type(number) for number in numbers] == [float] * 4
        assert numbers[1] == 12345678901234567000.0

    def test_last_of_equal_keys_wins(self) -> None:
        """As in Go."""
        assert decode('{"a": 1, "a": 2}') == {"a": 2.0}

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "NaN",
            '{"v": NaN}',
            "Infinity",
            "-Infinity",
            "1e400",
            "1" * 400,
            "01",
            "1.",
            ".5",
            "+1",
            "{'a': 1}",
            '{"a": 1,}',
            '{"a": 1} x',
            "\ufeff{}",
            "// c\n1",
            '"\t"',
            "\u00a01",
            "\f1",
            "[" * 20000 + "]" * 20000,
        ],
        ids=repr,
    )
    def test_refuses(self, text: str) -> None:
        """What is no JSON for Go is none here."""
        with pytest.raises(GoJsonError):
            decode(text)

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            pytest.param(b' {"a": 1}\n', {"a": 1.0}, id="white-space"),
            pytest.param(b'"\\ud800"', "�", id="half-a-pair"),
            pytest.param(b'"\\ud83d\\ude00"', "😀", id="a-pair"),
            pytest.param(b'{"\xff": "a\xffb"}', {"�": "a�b"}, id="no-utf-8"),
        ],
    )
    def test_bytes(self, body: bytes, expected: Any) -> None:
        """Bytes that are no UTF-8 become U+FFFD inside of strings."""
        assert decode(body) == expected

    def test_bytes_outside_of_strings_are_refused(self) -> None:
        """A stray byte is not white space."""
        with pytest.raises(GoJsonError):
            decode(b"\xff1")


class TestEncode:
    """Writing compactly."""

    @pytest.mark.parametrize(
        ("number", "text"),
        [
            (10.0, "10"),
            (0.97, "0.97"),
            (-0.0, "-0"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1e-6, "0.000001"),
            (1e-7, "1e-7"),
            (1.5e-10, "1.5e-10"),
            (5e-324, "5e-324"),
            (12345678901234567890.0, "12345678901234567000"),
            (3, "3"),
        ],
    )
    def test_numbers(self, number: float, text: str) -> None:
        """The formats of encoding/json."""
        assert encode(number) == text

    def test_keys_are_sorted_and_markup_is_escaped(self) -> None:
        """As json.Marshal."""
        value = {"b": "<a&b>", "a": [None, True, "\u2028\n\x01"]}
        assert encode(value) == (
            '{"a":[null,true,"\\u2028\\n\\u0001"],"b":"\\u003ca\\u0026b\\u003e"}'
        )

    def test_indented(self) -> None:
        """As json.MarshalIndent."""
        assert encode({"a": [1.0, {}], "b": []}, indent=2) == (
            '{\n  "a": [\n    1,\n    {}\n  ],\n  "b": []\n}'
        )

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), {1: 2}, object()])
    def test_refuses(self, value: Any) -> None:
        """What has no JSON form is an error."""
        with pytest.raises(GoJsonError, match="json: unsupported"):
            encode(value)


@given(_JSON)
def test_round_trip(value: Any) -> None:
    """What is written reads back the same, here and in any other JSON reader."""
    assert decode(encode(value)) == value
    assert json.loads(encode(value), parse_int=float) == value


@given(st.text(max_size=30) | st.binary(max_size=30))
def test_any_text_decodes_or_is_refused(text: str | bytes) -> None:
    """Nothing but GoJsonError is raised."""
    with suppress(GoJsonError):
        encode(decode(text))

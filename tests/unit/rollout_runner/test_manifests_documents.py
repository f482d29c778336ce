from __future__ import annotations

from typing import Any

import pytest

from rollout_runner.manifests.documents import Document, items_of_list, read_documents
from rollout_runner.manifests.render import Source
from svckit.errors import InvalidInput


def read(text: str) -> list[Document]:
    """Return the documents of a text called `f.yaml`."""
    return list(read_documents(Source(name="f.yaml", text=text)))


def values(text: str) -> list[dict[str, Any]]:
    """Return the values of the documents of a text."""
    return [each.value for each in read(text)]


def refusal(text: str) -> InvalidInput:
    """Return the error that reading a text ends in."""
    with pytest.raises(InvalidInput) as caught:
        read(text)
    return caught.value


class TestValues:
    """What is read."""

    def test_empty_documents_are_left_out(self) -> None:
        """Separators and comments alone are no documents."""
        assert values("---\n# nothing\n---\na: 1\n---\n---\nb: 2\n") == [{"a": 1}, {"b": 2}]

    def test_no_text_is_no_document(self) -> None:
        """An empty file holds nothing, and that is no error of YAML."""
        assert values("") == []

    def test_quoted_scalars_stay_text(self) -> None:
        """Quotes, blocks and an explicit tag keep a value text."""
        text = "a: \"2\"\nb: 'on'\nc: |\n  1\nd: !!str 3\ne: 4\n"
        assert values(text) == [{"a": "2", "b": "on", "c": "1\n", "d": "3", "e": 4}]

    def test_json_is_yaml(self) -> None:
        """A JSON file reads like any other."""
        assert values('{"a": [1, 2.5, "x", true, null]}') == [{"a": [1, 2.5, "x", True, None]}]

    def test_whole_number_as_key_becomes_text(self) -> None:
        """`80: x` has the key "80", as kubectl makes it."""
        assert values("80: x") == [{"80": "x"}]

    def test_aliases_and_merge_keys(self) -> None:
        """An anchor is repeated; own keys win over merged ones, earlier merges over later."""
        text = "a: &a {x: 1, y1: 1}\nb: &b {x: 2, z: 2}\nc: {<<: [*a, *b], y1: 3}\nd: {<<: *b}\n"
        (found,) = values(text)
        assert found["c"] == {"x": 1, "y1": 3, "z": 2}
        assert found["d"] == {"x": 2, "z": 2}

    def test_list_holds_documents(self) -> None:
        """`kind: List` yields its items, each with lines of its own."""
        (document,) = read("kind: List\nitems:\n  - a: 1\n  - b: 2\n")
        items = list(items_of_list(document))
        assert [each.value for each in items] == [{"a": 1}, {"b": 2}]
        assert items[1].place(("b",)) == "f.yaml:4"


class TestPlaces:
    """Where a field is."""

    TEXT = (
        "first: 1\n---\nspec:\n  steps:\n    - setWeight: 20\n    - pause:\n        duration: 2m\n"
    )

    @pytest.mark.parametrize(
        ("path", "line"),
        [
            pytest.param((), 3, id="document"),
            pytest.param(("spec",), 3, id="top"),
            pytest.param(("spec", "steps", 0), 5, id="item"),
            pytest.param(("spec", "steps", 1, "pause", "duration"), 7, id="leaf"),
            pytest.param(("spec", "steps", 1, "pause", "missing"), 6, id="missing-field"),
            pytest.param(("spec", "steps", 9), 4, id="missing-item"),
            pytest.param(("spec", "steps", "x", "y"), 4, id="wrong-kind"),
        ],
    )
    def test_line_of_a_path(self, path: tuple[str | int, ...], line: int) -> None:
        """A path has its own line, or that of the closest field around it."""
        assert read(self.TEXT)[1].place(path) == f"f.yaml:{line}"


class TestRefusals:
    """What is not read, and what is said about it."""

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            pytest.param("a: 1\nb: 2\na: 3", "f.yaml:3: the key 'a' is there twice", id="twice"),
            pytest.param(
                "a: {b: 1, b: 2}", "f.yaml:1: the key 'b' is there twice", id="flow-twice"
            ),
            pytest.param('1: x\n"1": y', "f.yaml:2: the key '1' is there twice", id="same-as-text"),
            pytest.param("a:\n  on: x", "f.yaml:2: the bare key `on` is a boolean", id="on"),
            pytest.param("y: 1", "f.yaml:1: the bare key `y` is a boolean", id="y"),
            pytest.param("N: 1", "f.yaml:1: the bare key `N` is a boolean", id="N"),
            pytest.param("Off: 1", "f.yaml:1: the bare key `Off` is a boolean", id="Off"),
            pytest.param("yes: 1", "f.yaml:1: the bare key `yes` is a boolean", id="yes"),
            pytest.param("no: 1", "f.yaml:1: the bare key `no` is a boolean", id="no"),
            pytest.param("true: 1", "f.yaml:1: the bare key `true` is a boolean", id="true"),
            pytest.param("~: 1", "f.yaml:1: the key `~` is not text", id="null-key"),
            pytest.param("1.5: 1", "f.yaml:1: the key `1.5` is not text", id="float-key"),
            pytest.param("[a]: 1", "f.yaml:1: a key must be text", id="list-key"),
            pytest.param("a: .inf", "f.yaml:1: .inf is no number in JSON", id="infinity"),
            pytest.param("a: !python/none x", "f.yaml:1: the tag !python/none", id="tag"),
            pytest.param("a: !!set {b}", "f.yaml:1: the tag tag:yaml.org,2002:set", id="set"),
            pytest.param("a: !!binary eA==", "f.yaml:1: the tag", id="binary"),
            pytest.param("a: {<<: 1}", "f.yaml:1: `<<` merges mappings only", id="merge"),
            pytest.param("- a", "f.yaml:1: expected a mapping with apiVersion", id="list"),
            pytest.param("a: 1\n---\ntext", "f.yaml:3: expected a mapping", id="text"),
            pytest.param("a: 1\n b: 2", "f.yaml:2: not valid YAML: mapping values", id="indent"),
            pytest.param("a: 'x", "not valid YAML: found unexpected end", id="unclosed"),
            pytest.param("a: [1, 2", "not valid YAML", id="unclosed-list"),
            pytest.param("a: *b", "f.yaml:1: not valid YAML: found undefined alias", id="alias"),
            pytest.param("a: \x01", "f.yaml: not valid YAML: unacceptable character", id="control"),
            pytest.param("a: {{ .Values.x }}", "f.yaml:1: a key must be text", id="helm"),
        ],
    )
    def test_one_line_that_names_the_place(self, text: str, said: str) -> None:
        """The error is one line, and says where."""
        error = refusal(text)
        assert said in error.detail
        assert "\n" not in error.detail

    def test_boolean_key_has_a_remedy(self) -> None:
        """The hint shows what to write instead."""
        assert refusal("off: 1").hint == 'put it in quotes: "off"'

    def test_unrendered_template_is_explained(self) -> None:
        """Double braces are a mapping inside a mapping to YAML; the hint guesses what they are."""
        assert "Render it first" in refusal("a: {{ .Values.x }}").hint

    def test_quoted_boolean_key_is_fine(self) -> None:
        """In quotes, nothing disagrees about it."""
        assert values('{"on": 1, "y": 2}') == [{"on": 1, "y": 2}]

    def test_tab_is_explained(self) -> None:
        """The usual cause of that error is named."""
        assert "spaces" in refusal("a:\n\tb: 1").hint

    @pytest.mark.parametrize("open_", ["[", "{a: ", "- ", "? "])
    def test_bottomless_nesting(self, open_: str) -> None:
        """Nesting without end is refused before anything recurses into it."""
        # libyaml has a limit of its own, which it may reach first.
        said = refusal(open_ * 100_000).detail
        assert "levels deep" in said or "nesting depth" in said

    def test_aliases_that_multiply(self) -> None:
        """Ten aliases of ten aliases of … are refused instead of built."""
        lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
        lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
        assert "aliases repeat too many values" in refusal("\n".join(lines)).detail

    @pytest.mark.parametrize("text", ["a: &a [*a]", "a: &a {b: *a}"])
    def test_alias_that_holds_itself(self, text: str) -> None:
        """A value cannot contain itself."""
        assert "aliases repeat too many values" in refusal(text).detail

    def test_list_without_items(self) -> None:
        """`kind: List` with something else than a list in it."""
        (document,) = read("kind: List\nitems: 3\n")
        with pytest.raises(InvalidInput, match=r"f\.yaml:2: List: `items` must be a list"):
            list(items_of_list(document))

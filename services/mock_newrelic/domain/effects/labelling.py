"""Data effects on labels: label_loss makes versions invisible, cardinality_bomb makes too many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from mock_newrelic.domain.effects.arguments import Members, bad, only_true, whole
from mock_newrelic.domain.effects.base import DataEffect

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mock_newrelic.domain.model import Terms

VERSION_LABELS = ("role", "hash", "version")
_ATTRIBUTES = {"hash": ("podTemplateHash", "hash")}
"""The attributes of a row that a label may come from, beside the one of its own name."""
_MAX_NAME = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelLoss(DataEffect):
    """`{"label_loss": true}`: samples come without role, hash and version; or a list of labels.

    They still count in the whole application, but no selector finds them.
    """

    name: ClassVar[str] = "label_loss"
    lost: frozenset[str]

    def relabel(self, labels: Terms) -> Terms:
        """Return the labels that are left."""
        return frozenset(pair for pair in labels if pair[0] not in self.lost)

    def rows(self, rows: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Return the rows without the attributes of the labels."""
        gone = set(self.lost).union(*(_ATTRIBUTES.get(name, ()) for name in self.lost))
        return [{key: value for key, value in row.items() if key not in gone} for row in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class CardinalityBomb(DataEffect):
    """`{"cardinality_bomb": 5000}`: a label that seems to have so many values.

    `{"values": 5000, "label": "host"}` names the label. A selector on it finds nothing, because
    every value stands on too few samples to be kept; rows carry the values.
    """

    name: ClassVar[str] = "cardinality_bomb"
    values: int
    label: str

    def relabel(self, labels: Terms) -> Terms:
        """Return the labels without the one that has too many values."""
        return frozenset(pair for pair in labels if pair[0] != self.label)

    def rows(self, rows: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Return the rows with one value after the other."""
        return [
            {**row, self.label: f"{self.label}-{at % self.values:06d}"}
            for at, row in enumerate(rows)
        ]


def parse_label_loss(argument: object, _metric: str | None) -> LabelLoss:
    """Read the names of the labels; true stands for role, hash and version."""
    if not isinstance(argument, list):
        only_true(argument, name="label_loss")
        return LabelLoss(given=True, lost=frozenset(VERSION_LABELS))
    for name in argument:
        if not isinstance(name, str) or not 0 < len(name) <= _MAX_NAME:
            raise bad("effect.label_loss is not a list of label names")
    if not argument:
        raise bad("effect.label_loss is an empty list")
    return LabelLoss(given=argument, lost=frozenset(argument))


def parse_cardinality_bomb(argument: object, _metric: str | None) -> CardinalityBomb:
    """Read the number of values and the label, `host` unless given."""
    label = "host"
    values: object = argument
    if isinstance(argument, dict):
        members = Members(argument, name="cardinality_bomb", known=("values", "label"))
        values, label = members.require("values"), members.given.get("label", label)
        if not isinstance(label, str) or not 0 < len(label) <= _MAX_NAME:
            raise bad("effect.cardinality_bomb.label is not a label name")
    number = whole(values, name="cardinality_bomb", lowest=2, highest=1_000_000)
    return CardinalityBomb(given=argument, values=number, label=label)

"""The syntax tree of a condition. Nodes compare by identity, so a type can be noted for each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """Any expression."""


@dataclass(frozen=True, slots=True, eq=False)
class Nil(Node):
    """`nil`."""


@dataclass(frozen=True, slots=True, eq=False)
class Literal(Node):
    """A number, string or bool; the Python type of the value tells the Go type."""

    value: bool | int | float | str


@dataclass(frozen=True, slots=True, eq=False)
class Constant(Node):
    """A list of literals, folded. What `in` looks into may be a set: of strings, or of ints."""

    value: list[bool | int | float | str] | dict[str, None] | frozenset[int]


@dataclass(frozen=True, slots=True, eq=False)
class Identifier(Node):
    """A name."""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Unary(Node):
    """`!x`, `not x`, `-x`, `+x`."""

    operator: str
    operand: Node


@dataclass(frozen=True, slots=True, eq=False)
class Binary(Node):
    """`left operator right`."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True, eq=False)
class Chain(Node):
    """A path with `?.` in it: as a whole it is nil as soon as one optional base is nil."""

    path: Node


@dataclass(frozen=True, slots=True, eq=False)
class Member(Node):
    """`base.name` and `base[key]`; `method` if it is called."""

    base: Node
    key: Node
    optional: bool = False
    method: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Slice(Node):
    """`base[start:stop]`."""

    base: Node
    start: Node | None
    stop: Node | None


@dataclass(frozen=True, slots=True, eq=False)
class Call(Node):
    """A call of one of Argo's functions, or of a method."""

    callee: Node
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Builtin(Node):
    """A call of one of the library's functions.

    `mapped`, `throws` and `threshold` are set by the optimizer alone: what to make of each match,
    whether finding none is an error, and after how many matches counting may stop.
    """

    name: str
    arguments: tuple[Node, ...]
    mapped: Node | None = None
    throws: bool = False
    threshold: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Predicate(Node):
    """What is evaluated for each element: `{# > 1}`, `# > 1`, `.ok`."""

    body: Node


@dataclass(frozen=True, slots=True, eq=False)
class Pointer(Node):
    """`#` (name is empty), `#index`, `#acc`."""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Let(Node):
    """`let name = value; body`."""

    name: str
    value: Node
    body: Node


@dataclass(frozen=True, slots=True, eq=False)
class Sequence(Node):
    """`a; b`: all are evaluated, the last is the value."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Conditional(Node):
    """`test ? then : otherwise` and `if test { then } else { otherwise }`."""

    test: Node
    then: Node
    otherwise: Node


@dataclass(frozen=True, slots=True, eq=False)
class Array(Node):
    """`[a, b]`."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False)
class MapLiteral(Node):
    """`{a: 1, "b": 2, (c): 3}`."""

    pairs: tuple[tuple[Node, Node], ...]

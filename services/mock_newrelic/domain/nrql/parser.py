"""From tokens to the tree: recursive descent, clauses in any order, nothing guessed.

Whatever is not understood is an error with its place; a query is never answered in part.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any, TypeVar

from mock_newrelic.domain.nrql import lexer
from mock_newrelic.domain.nrql.ast import (
    Ago,
    And,
    Arithmetic,
    Call,
    Case,
    Compare,
    Duration,
    In,
    Instant,
    Is,
    Item,
    Like,
    Literal,
    Named,
    Negative,
    Not,
    Or,
    Order,
    Query,
    Ref,
    Star,
    Subquery,
    TimeSeries,
    TimeWord,
    Where,
)
from mock_newrelic.domain.nrql.catalogue import check_arity, spelling
from mock_newrelic.domain.nrql.errors import NrqlError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mock_newrelic.domain.nrql.ast import Arg, Expr, Time
    from mock_newrelic.domain.nrql.lexer import Token

MAX_LIMIT = 5000
MAX_DEPTH = 48
"""How deep brackets and operators may nest: the reader calls itself for each."""

SECONDS = {
    "millisecond": 0.001,
    "second": 1.0,
    "minute": 60.0,
    "hour": 3600.0,
    "day": 86400.0,
    "week": 7 * 86400.0,
    "month": 30 * 86400.0,
    "quarter": 91 * 86400.0,
    "year": 365 * 86400.0,
}
"""Length of a unit; of month, quarter and year where no calendar date is at hand."""

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_CLAUSES = frozenset({
    "SELECT", "FROM", "WHERE", "FACET", "SINCE", "UNTIL", "COMPARE", "TIMESERIES", "SLIDE", "LIMIT",
    "OFFSET", "ORDER", "EXTRAPOLATE", "WITH",
})  # fmt: skip
_RESERVED = _CLAUSES | {
    "AS", "AND", "OR", "NOT", "IN", "IS", "LIKE", "RLIKE", "BY", "ASC", "DESC",
}  # fmt: skip
_MILLISECONDS_FROM = 1e11

T = TypeVar("T")


def parse(text: str) -> Query:
    """Return the query that the text says.

    Raises:
        NrqlError: it says none, or something that is not known here.
    """
    reader = _Reader(lexer.tokenize(text))
    query = reader.query()
    reader.end()
    return query


def parse_condition(text: str) -> Expr:
    """Return the condition that the text says: what may follow WHERE.

    Raises:
        NrqlError: it says none.
    """
    reader = _Reader(lexer.tokenize(text))
    condition = reader.condition()
    reader.end()
    return condition


class _Reader:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._index = 0
        self._depth = 0

    # Tokens

    @property
    def _next(self) -> Token:
        return self._tokens[self._index]

    def _take(self) -> Token:
        token = self._tokens[self._index]
        if token.kind != lexer.END:
            self._index += 1
        return token

    def _word(self, *words: str) -> bool:
        """Take these keywords when they come next, all of them."""
        ahead = self._tokens[self._index : self._index + len(words)]
        if len(ahead) == len(words) and all(
            token.says(word) for token, word in zip(ahead, words, strict=True)
        ):
            self._index += len(words)
            return True
        return False

    def _sign(self, sign: str) -> bool:
        if self._next.kind == lexer.SIGN and self._next.value == sign:
            self._index += 1
            return True
        return False

    def _need_sign(self, sign: str) -> None:
        if not self._sign(sign):
            raise self._unexpected(f"'{sign}'")

    def _need_word(self, word: str) -> None:
        if not self._word(word):
            raise self._unexpected(word)

    def _unexpected(self, wanted: str) -> NrqlError:
        token = self._next
        if token.kind == lexer.END:
            return NrqlError(f"the query ends where {wanted} is expected", token.at)
        return NrqlError(f"unexpected {token.value[:40]!a}, expected {wanted}", token.at)

    def end(self) -> None:
        """Refuse anything behind the query."""
        if self._next.kind != lexer.END:
            raise self._unexpected("the end of the query or another clause")

    def _nested(self, read: Callable[[], T]) -> T:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise NrqlError("the query is nested too deeply", self._next.at)
        result = read()
        self._depth -= 1
        return result

    def condition(self) -> Expr:
        """Read a condition."""
        return self._expr()

    # Clauses

    def query(self) -> Query:
        """Read clauses in any order up to what begins none."""
        start = self._next
        said: dict[str, Any] = {}
        seen: set[str] = set()
        while self._next.kind == lexer.NAME and self._next.value.upper() in _CLAUSES:
            token = self._take()
            name = token.value.upper()
            if name in seen and name != "WITH":
                raise NrqlError(f"{name} is given twice", token.at)
            seen.add(name)
            self._clause(name, token, said)
        for name, key in (("SELECT", "select"), ("FROM", "source")):
            if key not in said:
                raise NrqlError(
                    f"the query has no {name}", start.at, "SELECT <what> FROM <event type>"
                )
        return Query(**said)

    def _clause(self, name: str, token: Token, said: dict[str, Any]) -> None:  # noqa: C901, PLR0912 - one branch a clause
        if name == "SELECT":
            said["select"] = self._list(self._item)
        elif name == "FROM":
            said["source"] = self._source()
        elif name == "WHERE":
            said["where"] = self._expr()
        elif name == "FACET":
            self._facet(said)
        elif name in {"SINCE", "UNTIL"}:
            said[name.lower()] = self._time()
        elif name == "COMPARE":
            self._need_word("WITH")
            said["compare"] = self._ago()
        elif name == "TIMESERIES":
            said["timeseries"] = self._timeseries()
        elif name == "LIMIT":
            said["limit"] = self._limit()
        elif name == "OFFSET":
            said["offset"] = self._whole()
        elif name == "ORDER":
            said["order"] = self._order()
        elif name == "EXTRAPOLATE":
            said["extrapolate"] = True
        elif name == "WITH":
            self._with(said)
        else:
            raise NrqlError(f"{name} must follow TIMESERIES", token.at)

    def _source(self) -> tuple[str, ...] | Subquery:
        if self._next.kind == lexer.SIGN and self._next.value == "(":
            return self._subquery()
        return self._list(lambda: self._name("an event type"))

    def _subquery(self) -> Subquery:
        self._need_sign("(")
        query = self._nested(self.query)
        self._need_sign(")")
        return Subquery(query)

    def _facet(self, said: dict[str, Any]) -> None:
        if self._word("CASES"):
            self._need_sign("(")
            said["cases"] = self._list(self._case)
            self._need_sign(")")
        else:
            said["facets"] = self._list(self._item)
            for item in said["facets"]:
                if isinstance(item.value, Star):
                    raise NrqlError("FACET needs attributes, not *", self._next.at)

    def _case(self) -> Case:
        self._need_word("WHERE")
        return Case(self._expr(), self._alias())

    def _item(self) -> Item:
        value: Expr | Star = Star() if self._sign("*") else self._expr()
        return Item(value, self._alias())

    def _alias(self) -> str | None:
        return self._name("a name", texts=True) if self._word("AS") else None

    def _name(self, wanted: str, *, texts: bool = False) -> str:
        token = self._next
        if token.kind == lexer.QUOTED or (texts and token.kind == lexer.TEXT and token.value):
            return self._take().value
        if token.kind == lexer.NAME and token.value.upper() not in _RESERVED:
            return self._take().value
        raise self._unexpected(wanted)

    def _limit(self) -> int:
        at = self._next.at
        limit = MAX_LIMIT if self._word("MAX") else self._whole()
        if not 1 <= limit <= MAX_LIMIT:
            raise NrqlError(f"LIMIT is from 1 to {MAX_LIMIT}, or MAX", at)
        return limit

    def _order(self) -> Order:
        self._need_word("BY")
        by = self._expr()
        if self._word("DESC"):
            return Order(by, descending=True)
        self._word("ASC")
        return Order(by)

    def _with(self, said: dict[str, Any]) -> None:
        if self._word("TIMEZONE"):
            if self._next.kind != lexer.TEXT:
                raise self._unexpected("a time zone in quotes")
            said["timezone"] = self._take().value
            return

        def binding() -> tuple[str, Expr]:
            value = self._expr()
            self._need_word("AS")
            return self._name("a name", texts=True), value

        said["bindings"] = (*said.get("bindings", ()), *self._list(binding))

    # Times

    def _timeseries(self) -> TimeSeries:
        step = self._step()
        if not self._word("SLIDE"):
            return TimeSeries(step)
        self._need_word("BY")
        at = self._next.at
        slide = self._step()
        if not step or not slide:
            raise NrqlError(
                "SLIDE BY needs two lengths", at, "TIMESERIES 5 minutes SLIDE BY 1 minute"
            )
        return TimeSeries(step, slide)

    def _step(self) -> float | None:
        if self._word("MAX"):
            return 0.0
        if self._word("AUTO") or self._next.kind != lexer.NUMBER:
            return None
        at = self._next.at
        seconds = self._amount() * SECONDS[self._unit()]
        if seconds < 1:
            raise NrqlError("a bucket is at least one second long", at)
        return seconds

    def _time(self) -> Time:
        token = self._next
        if token.kind == lexer.TEXT:
            return Instant(self._take().value)
        if token.kind == lexer.NUMBER:
            after = self._tokens[self._index + 1]
            if after.kind == lexer.NAME and after.value.lower().removesuffix("s") in SECONDS:
                return self._ago()
            number = self._amount()
            return Instant(number / 1000 if number >= _MILLISECONDS_FROM else number)
        word = token.value.lower()
        if token.kind == lexer.NAME and word in {"now", "today", "yesterday", *WEEKDAYS}:
            self._take()
            return TimeWord(word)
        if token.kind == lexer.NAME and word in {"this", "last"}:
            self._take()
            return TimeWord(word, self._unit())
        raise self._unexpected("a time: 5 minutes ago, now, seconds since 1970, '2026-02-04 02:02'")

    def _ago(self) -> Ago:
        amount = self._amount()
        unit = self._unit()
        self._need_word("AGO")
        return Ago(amount, unit)

    def _amount(self) -> float:
        if self._next.kind != lexer.NUMBER:
            raise self._unexpected("a number")
        token = self._take()
        number = float(token.value)
        if not isfinite(number):
            raise NrqlError("the number is too large", token.at)
        return number

    def _whole(self) -> int:
        token = self._next
        if token.kind != lexer.NUMBER or not token.value.isdigit() or len(token.value) > 9:
            raise self._unexpected("a whole number")
        return int(self._take().value)

    def _unit(self) -> str:
        word = self._next.value.lower().removesuffix("s")
        if self._next.kind != lexer.NAME or word not in SECONDS:
            raise self._unexpected("a unit: " + ", ".join(SECONDS))
        self._take()
        return word

    # Expressions, the loosest binding first

    def _list(self, read: Callable[[], T]) -> tuple[T, ...]:
        items = [read()]
        while self._sign(","):
            items.append(read())
        return tuple(items)

    def _expr(self) -> Expr:
        return self._nested(self._or)

    def _or(self) -> Expr:
        return self._chain(self._and, lambda: Or if self._word("OR") else None)

    def _and(self) -> Expr:
        return self._chain(self._not, lambda: And if self._word("AND") else None)

    def _chain(self, read: Callable[[], Expr], operator: Callable[[], Any]) -> Expr:
        """Read operands between operators that group from the left."""
        left = read()
        links = 0
        while (build := operator()) is not None:
            links += 1
            if links > 4 * MAX_DEPTH:
                raise NrqlError("too many operators in a row", self._next.at)
            left = build(left, read())
        return left

    def _not(self) -> Expr:
        if self._word("NOT"):
            return Not(self._nested(self._not))
        return self._predicate()

    def _predicate(self) -> Expr:
        left = self._sum()
        token = self._next
        if token.kind == lexer.SIGN and token.value in {"=", "!=", "<>", "<", "<=", ">", ">="}:
            self._take()
            operator = "!=" if token.value == "<>" else token.value
            return Compare(operator, left, self._sum())
        if self._word("IS"):
            return self._is(left)
        negated = False
        if token.says("NOT"):
            after = self._tokens[self._index + 1]
            if not any(after.says(word) for word in ("IN", "LIKE", "RLIKE")):
                raise self._unexpected("a comparison")
            self._take()
            negated = True
        if self._word("IN"):
            return In(left, self._options(), negated)
        for word in ("LIKE", "RLIKE"):
            if self._word(word):
                return self._like(left, regular=word == "RLIKE", negated=negated)
        return left

    def _is(self, left: Expr) -> Is:
        negated = self._word("NOT")
        for word, value in (("NULL", None), ("TRUE", True), ("FALSE", False)):
            if self._word(word):
                return Is(left, value, negated)
        raise self._unexpected("NULL, TRUE or FALSE")

    def _options(self) -> tuple[Expr, ...] | Subquery:
        after = self._tokens[min(self._index + 1, len(self._tokens) - 1)]
        if after.says("SELECT") or after.says("FROM"):
            return self._subquery()
        self._need_sign("(")
        options = self._list(self._expr)
        self._need_sign(")")
        return options

    def _like(self, left: Expr, *, regular: bool, negated: bool) -> Like:
        if self._next.kind not in {lexer.TEXT, lexer.PATTERN}:
            raise self._unexpected("a pattern in quotes")
        return Like(left, self._take().value, regular, negated)

    def _sum(self) -> Expr:
        return self._chain(self._product, lambda: self._operator("+-"))

    def _product(self) -> Expr:
        return self._chain(self._negation, lambda: self._operator("*/"))

    def _operator(self, signs: str) -> Callable[[Expr, Expr], Arithmetic] | None:
        token = self._next
        if token.kind != lexer.SIGN or token.value not in signs:
            return None
        self._take()
        return lambda left, right: Arithmetic(token.value, left, right)

    def _negation(self) -> Expr:
        if self._sign("-"):
            operand = self._nested(self._negation)
            if isinstance(operand, Literal) and isinstance(operand.value, float):
                return Literal(-operand.value)
            return Negative(operand)
        return self._atom()

    def _atom(self) -> Expr:
        token = self._next
        if token.kind == lexer.NUMBER:
            return Literal(self._amount())
        if token.kind in {lexer.TEXT, lexer.PATTERN}:
            return Literal(self._take().value)
        if token.kind == lexer.SIGN and token.value == "(":
            return self._bracket()
        for word, value in (("TRUE", True), ("FALSE", False), ("NULL", None)):
            if self._word(word):
                return Literal(value)
        if token.kind == lexer.NAME:
            after = self._tokens[self._index + 1]
            if after.kind == lexer.SIGN and after.value == "(" and not token.says("IN"):
                return self._nested(self._call)
        name = self._name("an attribute, a function, a number or a text")
        key = None
        if self._sign("["):
            if self._next.kind != lexer.TEXT:
                raise self._unexpected("a key in quotes")
            key = self._take().value
            self._need_sign("]")
        return Ref(name, key, token.at)

    def _bracket(self) -> Expr:
        after = self._tokens[self._index + 1]
        if after.says("SELECT") or after.says("FROM"):
            return self._subquery()
        self._need_sign("(")
        inner = self._expr()
        self._need_sign(")")
        return inner

    def _call(self) -> Call:
        token = self._take()
        function = spelling(token.value, token.at)
        self._need_sign("(")
        args: tuple[Arg, ...] = ()
        if not self._sign(")"):
            args = self._list(self._arg)
            self._need_sign(")")
        call = Call(function, args, token.at)
        check_arity(call)
        return call

    def _arg(self) -> Arg:
        if self._sign("*"):
            return Star()
        if self._word("WHERE"):
            return Where(self._expr())
        token, after = self._next, self._tokens[min(self._index + 1, len(self._tokens) - 1)]
        if token.kind == lexer.NAME and after.kind == lexer.SIGN and after.value == ":":
            self._take()
            self._take()
            return Named(token.value.lower(), self._expr())
        if token.kind == lexer.NUMBER and after.kind == lexer.NAME:
            unit = after.value.lower().removesuffix("s")
            if unit in SECONDS:
                return Duration(self._amount() * SECONDS[self._unit()])
        return self._expr()

"""From tokens to a syntax tree: a Pratt parser.

>>> parse("result.a > 1 and result.b", Dialect.V1_17)  # doctest: +SKIP
Binary(operator='and', left=Binary(...), right=Member(...))

Rules: parser/parser.go of expr-lang/expr v1.17.8 and antonmedv/expr v1.15.5.
"""

from __future__ import annotations

from rollout_runner.argo.expr import nodes
from rollout_runner.argo.expr.cursor import Cursor
from rollout_runner.argo.expr.dialect import Dialect
from rollout_runner.argo.expr.errors import ConditionError
from rollout_runner.argo.expr.functions import FUNCTIONS
from rollout_runner.argo.expr.grammar import (
    BINARY_PRECEDENCE,
    COMPARISONS,
    NEGATABLE,
    PREDICATES,
    RIGHT_ASSOCIATIVE,
    UNARY_PRECEDENCE,
)
from rollout_runner.argo.expr.lexer import Token, TokenKind, is_identifier
from rollout_runner.argo.expr.numerals import parse_number


def parse(text: str, dialect: Dialect) -> nodes.Node:
    """Parse a condition.

    Raises:
        ConditionError: with the library's message about the first token that does not fit.
    """
    return _Parser(text, dialect).parse()


class _Parser:
    def __init__(self, text: str, dialect: Dialect) -> None:
        self._tokens = Cursor(text, dialect)
        self._dialect = dialect
        self._modern = dialect is Dialect.V1_17
        self._predicates = PREDICATES[dialect]
        self._builtins = FUNCTIONS[dialect]
        self._depth = 0  # of predicates: `#` means something inside one only

    def parse(self) -> nodes.Node:
        tree = self._sequence()
        if self._tokens.current.kind is not TokenKind.EOF:
            raise self._tokens.unexpected()
        return tree

    def _sequence(self) -> nodes.Node:
        """Parse `a; b` where the dialect has it."""
        parts = [self._expression(0)]
        while self._modern and self._tokens.current.is_operator(";"):
            self._tokens.advance()
            if self._tokens.current.kind is TokenKind.EOF:
                break
            parts.append(self._expression(0))
        return parts[0] if len(parts) == 1 else nodes.Sequence(tuple(parts))

    def _expression(self, precedence: int) -> nodes.Node:
        if precedence == 0 and self._tokens.current.is_operator("let"):
            return self._let()
        if precedence == 0 and self._tokens.current.is_operator("if"):
            return self._if()
        left = self._operators(self._primary(), precedence)
        return self._ternary(left) if precedence == 0 else left

    def _operators(self, left: nodes.Node, precedence: int) -> nodes.Node:
        """Fold all operators that bind at least as tightly as `precedence`."""
        previous = ""
        while self._tokens.current.kind is TokenKind.OPERATOR:
            negated = self._tokens.current.value == "not"
            if negated and not self._negation(precedence):
                break
            operator = self._tokens.current.value
            strength = BINARY_PRECEDENCE.get(operator)
            if strength is None or strength < precedence:
                break
            self._tokens.advance()
            if operator == "|":
                left = self._call(self._tokens.expect_identifier(), (left,))
            elif previous == "??" and operator != "??":
                raise ConditionError(
                    f"Operator ({operator}) and coalesce expressions (??) cannot be mixed. "
                    "Wrap either by parentheses."
                )
            elif operator in COMPARISONS and self._modern:
                left = self._comparison(left, operator, strength)
            else:
                tighter = 0 if operator in RIGHT_ASSOCIATIVE else 1
                left = nodes.Binary(operator, left, self._expression(strength + tighter))
                if negated:
                    left = nodes.Unary("not", left)
            previous = operator
        return left

    def _negation(self, precedence: int) -> bool:
        """Step over the `not` of `not in` and its like, if this level may take the operator.

        The older library steps over it even when the operator belongs to an outer level, where
        the negation is then lost: `1 + 1 not in [3]` is `1 + 1 in [3]` there.
        """
        if not self._modern:
            self._tokens.advance()
            return True
        following = self._tokens.peek()
        if following.value not in NEGATABLE:
            raise ConditionError(f"unexpected token {following}")
        if BINARY_PRECEDENCE[following.value] < precedence:
            return False
        self._tokens.advance()
        return True

    def _comparison(self, left: nodes.Node, operator: str, precedence: int) -> nodes.Node:
        """Parse `a < b < c` as `a < b && b < c`."""
        tree: nodes.Node | None = None
        while True:
            right = self._expression(precedence + 1)
            compared = nodes.Binary(operator, left, right)
            tree = compared if tree is None else nodes.Binary("&&", tree, compared)
            following = self._tokens.current
            if following.kind is not TokenKind.OPERATOR or following.value not in COMPARISONS:
                return tree
            self._tokens.advance()
            left, operator = right, following.value

    def _let(self) -> nodes.Node:
        self._tokens.advance()
        name = self._tokens.expect_identifier()
        self._tokens.expect_operator("=")
        value = self._expression(0)
        self._tokens.expect_operator(";")
        return nodes.Let(name.value, value, self._sequence())

    def _if(self) -> nodes.Node:
        self._tokens.advance()
        test = self._expression(0)
        then = self._block()
        self._tokens.expect_operator("else")
        if self._tokens.current.is_operator("if"):
            return nodes.Conditional(test, then, self._if())
        return nodes.Conditional(test, then, self._block())

    def _block(self) -> nodes.Node:
        self._tokens.expect_bracket("{")
        body = self._sequence()
        self._tokens.expect_bracket("}")
        return body

    def _ternary(self, test: nodes.Node) -> nodes.Node:
        while self._tokens.current.is_operator("?"):
            self._tokens.advance()
            if self._tokens.current.is_operator(":"):  # a ?: b
                self._tokens.advance()
                then = test
            else:
                then = self._expression(0)
                self._tokens.expect_operator(":")
            test = nodes.Conditional(test, then, self._expression(0))
        return test

    def _primary(self) -> nodes.Node:
        token = self._tokens.current
        if token.kind is TokenKind.OPERATOR and token.value in UNARY_PRECEDENCE:
            self._tokens.advance()
            operand = self._expression(UNARY_PRECEDENCE[token.value])
            return self._postfix(nodes.Unary(token.value, operand))
        if token.is_bracket("("):
            self._tokens.advance()
            inner = self._sequence()
            self._tokens.expect_bracket(")")
            return self._postfix(inner)
        if token.is_operator("#") or token.is_operator("."):
            return self._pointer(token)
        if token.is_operator("::"):
            self._tokens.advance()
            return self._postfix(self._call(self._tokens.expect_identifier(), ()))
        return self._operand(token)

    def _pointer(self, token: Token) -> nodes.Node:
        if self._depth == 0:
            if self._modern:
                raise self._tokens.unexpected()
            raise ConditionError("cannot use pointer accessor outside closure")
        name = ""
        if token.value == "#":
            self._tokens.advance()
            if self._tokens.current.kind is TokenKind.IDENTIFIER:
                name = self._tokens.current.value
                self._tokens.advance()
        return self._postfix(nodes.Pointer(name))

    def _operand(self, token: Token) -> nodes.Node:
        match token.kind:
            case TokenKind.NUMBER:
                self._tokens.advance()
                return nodes.Literal(parse_number(token.value, self._dialect))
            case TokenKind.STRING:
                self._tokens.advance()
                literal = nodes.Literal(token.value)
                return self._postfix(literal) if self._modern else literal
            case TokenKind.IDENTIFIER:
                return self._name(token)
            case _ if token.is_bracket("["):
                return self._postfix(nodes.Array(self._list("[", "]")))
            case _ if token.is_bracket("{"):
                return self._postfix(self._map())
            case _:
                raise self._tokens.unexpected()

    def _name(self, token: Token) -> nodes.Node:
        self._tokens.advance()
        if token.value == "nil":
            return nodes.Nil()
        if token.value in {"true", "false"}:
            return nodes.Literal(token.value == "true")
        if self._tokens.current.is_bracket("("):
            return self._postfix(self._call(token, ()))
        return self._postfix(nodes.Identifier(token.value))

    def _call(self, name: Token, first: tuple[nodes.Node, ...]) -> nodes.Node:
        """Parse a call; `first` is what a pipe passes in."""
        if name.value in self._predicates:
            return self._predicate_call(name.value, first)
        arguments = first + self._list("(", ")")
        if name.value in self._builtins:
            return nodes.Builtin(name.value, arguments)
        return nodes.Call(nodes.Identifier(name.value), arguments)

    def _predicate_call(self, name: str, first: tuple[nodes.Node, ...]) -> nodes.Node:
        shape = self._predicates[name]
        arguments = list(first)
        self._tokens.expect_bracket("(")
        wanted = 3 - len(arguments) if shape.extra else 2 - len(arguments)
        if not arguments:
            self._require_argument(wanted)
            arguments.append(self._expression(0))
        closing = self._tokens.current.is_bracket(")")
        if not (shape.predicate_optional and closing):
            self._require_argument(wanted)
            if not first:
                self._tokens.expect_operator(",")
            arguments.append(self._predicate())
        if shape.extra and self._more_arguments():
            arguments.append(self._expression(0))
        if self._modern and self._tokens.current.is_operator(","):
            self._tokens.advance()
        self._tokens.expect_bracket(")")
        return nodes.Builtin(name, tuple(arguments))

    def _require_argument(self, wanted: int) -> None:
        if self._modern and self._tokens.current.is_bracket(")"):
            raise ConditionError(f"expected at least {wanted} arguments")

    def _more_arguments(self) -> bool:
        if self._modern and not self._tokens.current.is_bracket(")"):
            self._tokens.expect_operator(",")
            return True
        if not self._modern and self._tokens.current.is_operator(","):
            self._tokens.advance()
            return True
        return False

    def _predicate(self) -> nodes.Node:
        braces = self._tokens.current.is_bracket("{")
        if braces:
            self._tokens.advance()
        self._depth += 1
        body = self._sequence() if braces else self._expression(0)
        self._depth -= 1
        if braces:
            self._tokens.expect_bracket("}")
        elif self._modern and self._tokens.current.is_operator(";"):
            raise ConditionError("wrap predicate with brackets { and }")
        return nodes.Predicate(body)

    def _list(self, opening: str, closing: str) -> tuple[nodes.Node, ...]:
        """Parse items between brackets; a call of the older library takes no trailing comma."""
        self._tokens.expect_bracket(opening)
        items: list[nodes.Node] = []
        while not self._tokens.current.is_bracket(closing):
            if items:
                self._tokens.expect_operator(",")
                trailing = self._tokens.current.is_bracket(closing)
                if trailing and (self._modern or opening == "["):
                    break
            items.append(self._expression(0))
        self._tokens.expect_bracket(closing)
        return tuple(items)

    def _map(self) -> nodes.Node:
        self._tokens.expect_bracket("{")
        pairs: list[tuple[nodes.Node, nodes.Node]] = []
        while not self._tokens.current.is_bracket("}"):
            if pairs:
                self._tokens.expect_operator(",")
                if self._tokens.current.is_bracket("}"):
                    break
                if self._tokens.current.is_operator(","):
                    raise self._tokens.unexpected()
            key = self._map_key()
            self._tokens.expect_operator(":")
            pairs.append((key, self._expression(0)))
        self._tokens.expect_bracket("}")
        return nodes.MapLiteral(tuple(pairs))

    def _map_key(self) -> nodes.Node:
        token = self._tokens.current
        if token.kind in {TokenKind.NUMBER, TokenKind.STRING, TokenKind.IDENTIFIER}:
            self._tokens.advance()
            return nodes.Literal(token.value)
        if token.is_bracket("("):
            return self._expression(0)
        raise ConditionError(
            "a map key must be a quoted string, a number, a identifier, or an expression "
            f"enclosed in parentheses (unexpected token {token})"
        )

    def _postfix(self, node: nodes.Node) -> nodes.Node:
        """Parse `.name`, `?.name`, `[key]`, `?.[key]`, `[a:b]` and method calls behind a node."""
        while True:
            token = self._tokens.current
            optional = token.is_operator("?.")
            if optional and self._modern and self._tokens.peek().is_bracket("["):
                self._tokens.advance()
                node = self._index(node, optional=True)
            elif optional or token.is_operator("."):
                node = self._member(node, optional=optional)
            elif token.is_bracket("["):
                node = self._index(node, optional=False)
            else:
                return node

    def _member(self, node: nodes.Node, *, optional: bool) -> nodes.Node:
        self._tokens.advance()
        name = self._tokens.current
        self._tokens.advance()
        spelled = name.kind is TokenKind.OPERATOR and is_identifier(name.value)
        if name.kind is not TokenKind.IDENTIFIER and not spelled:
            raise ConditionError("expected name")
        chained = isinstance(node, nodes.Chain)
        base = node.path if isinstance(node, nodes.Chain) else node
        called = self._tokens.current.is_bracket("(")
        path = _member_of(base, nodes.Literal(name.value), optional=optional, method=called)
        if called:
            path = nodes.Call(path, self._list("(", ")"))
        return nodes.Chain(path) if chained or optional else path

    def _index(self, node: nodes.Node, *, optional: bool) -> nodes.Node:
        self._tokens.advance()
        start: nodes.Node | None = None
        if not self._tokens.current.is_operator(":"):
            start = self._expression(0)
        if start is not None and not self._tokens.current.is_operator(":"):
            self._tokens.expect_bracket("]")
            member = _member_of(node, start, optional=optional)
            return nodes.Chain(member) if optional else member
        self._tokens.advance()
        stop = None if self._tokens.current.is_bracket("]") else self._expression(0)
        self._tokens.expect_bracket("]")
        return nodes.Slice(node, start, stop)


def _member_of(
    base: nodes.Node, key: nodes.Node, *, optional: bool, method: bool = False
) -> nodes.Node:
    """Return the member; one of `$env` by a known name is that name itself."""
    if (
        isinstance(base, nodes.Identifier)
        and base.name == "$env"
        and isinstance(key, nodes.Literal)
        and isinstance(key.value, str)
        and not method
    ):
        return nodes.Identifier(key.value)
    return nodes.Member(base, key, optional, method)

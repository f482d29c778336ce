"""The parser's view of the tokens: one current token and one to look ahead."""

from __future__ import annotations

from rollout_runner.argo.expr.dialect import Dialect
from rollout_runner.argo.expr.errors import ConditionError
from rollout_runner.argo.expr.lexer import Token, TokenKind, tokenize

_END = Token(TokenKind.EOF)


class Cursor:
    """Tokens in order.

    The newer library reads them one by one, so a wrong token is reported before a wrong character
    behind it; the older one reads all of them first.
    """

    def __init__(self, text: str, dialect: Dialect) -> None:
        tokens = tokenize(text, dialect)
        self._rest = tokens if dialect is Dialect.V1_17 else iter(list(tokens))
        self._ahead: Token | None = None
        self.current = next(self._rest)

    def advance(self) -> None:
        """Step to the next token."""
        if self._ahead is not None:
            self.current, self._ahead = self._ahead, None
            return
        following = next(self._rest, None)
        if following is None:
            raise ConditionError("unexpected end of expression")
        self.current = following

    def peek(self) -> Token:
        """Return the token after the current one."""
        if self._ahead is None:
            self._ahead = next(self._rest, _END)
        return self._ahead

    def unexpected(self) -> ConditionError:
        """Build the error about the current token."""
        return ConditionError(f"unexpected token {self.current}")

    def expect_operator(self, value: str) -> None:
        """Step over this operator, or fail."""
        if not self.current.is_operator(value):
            raise self.unexpected()
        self.advance()

    def expect_bracket(self, value: str) -> None:
        """Step over this bracket, or fail."""
        if not self.current.is_bracket(value):
            raise self.unexpected()
        self.advance()

    def expect_identifier(self) -> Token:
        """Step over a name and return it, or fail."""
        token = self.current
        if token.kind is not TokenKind.IDENTIFIER:
            raise self.unexpected()
        self.advance()
        return token

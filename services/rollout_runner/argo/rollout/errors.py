"""What can be wrong with a Rollout before it is rolled out."""

from __future__ import annotations

from svckit.errors import InvalidInput


class RolloutError(InvalidInput):
    """A Rollout, or a command about one, that cannot be used."""

    default_code = "invalid_rollout"
    title = "Invalid Rollout"


class UnsupportedError(RolloutError):
    """The Rollout asks for something that Argo can do and this program cannot.

    It is refused, because to leave it out would judge a different Rollout than the one given.

    Args:
        field: path in the manifest, such as `spec.strategy.blueGreen`.
        reason: what is missing, as a clause (`experiments are not run`).
        hint: what to do instead.
    """

    default_code = "unsupported"
    title = "Unsupported feature"

    def __init__(self, field: str, reason: str, *, hint: str = "") -> None:
        super().__init__(f"{field} is not supported: {reason}", hint=hint)
        self.field = field
        self.reason = reason


def invalid_value(where: str, value: str | int, detail: str) -> str:
    """Write a problem as Kubernetes does: text in quotes, numbers and booleans bare."""
    shown = f'"{value}"' if isinstance(value, str) else str(value).lower()
    return f"{where}: Invalid value: {shown}: {detail}"

"""The two releases of the expression library that Argo Rollouts has shipped."""

from __future__ import annotations

from enum import StrEnum


class Dialect(StrEnum):
    """Which expression library a condition is read with.

    V1_15 is antonmedv/expr v1.15.5 (Argo 1.7 to 1.9), V1_17 is expr-lang/expr v1.17.8 (Argo 1.10).
    They differ in syntax (sequences, `if`, raw strings, chained comparisons), in how lists compare
    and in the functions offered.
    """

    V1_15 = "1.15"
    V1_17 = "1.17"

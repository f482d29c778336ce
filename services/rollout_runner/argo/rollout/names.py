"""Names that Argo gives to what a Rollout owns.

>>> replica_set_name("vote", "7cd75c6d7c")
'vote-7cd75c6d7c'
>>> analysis_run_name("vote", "7cd75c6d7c", 34, "2")
'vote-7cd75c6d7c-34-2'
>>> free_name("vote-7cd75c6d7c-34-2", {"vote-7cd75c6d7c-34-2"})
'vote-7cd75c6d7c-34-2.1'
>>> canary_ingress_name("vote", "voting01-ingress")
'vote-voting01-ingress-canary'
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

_INGRESS_SUFFIX: Final = "-canary"
_MAX_INGRESS_NAME: Final = 253
_FNV_OFFSET: Final = 0x811C9DC5
_FNV_PRIME: Final = 0x01000193
_SAFE_ALPHABET: Final = str.maketrans("0123456789", "456789bcdf")


def replica_set_name(rollout: str, pod_hash: str) -> str:
    """Return the name of the ReplicaSet of a pod template."""
    return f"{rollout}-{pod_hash}"


def analysis_run_name(rollout: str, pod_hash: str, revision: int, infix: str = "") -> str:
    """Return the name of an AnalysisRun before collisions are looked at.

    `infix` is the zero-based step index, `pre` or `post`; a background run has none.
    """
    name = f"{rollout}-{pod_hash}-{revision}"
    return f"{name}-{infix}" if infix else name


def free_name(base: str, taken: Container[str]) -> str:
    """Return `base`, or the first of `base.1`, `base.2`, ... that is not taken."""
    name, collisions = base, 0
    while name in taken:
        collisions += 1
        name = f"{base}.{collisions}"
    return name


def canary_ingress_name(rollout: str, stable_ingress: str) -> str:
    """Return the name of the second ingress that carries the canary's weight."""
    prefix = f"{rollout}-{stable_ingress}"[: _MAX_INGRESS_NAME - len(_INGRESS_SUFFIX)]
    return prefix + _INGRESS_SUFFIX


def safe_hash(document: Mapping[str, Any] | Sequence[Any]) -> str:
    """Return a stable token of a JSON document, written as Argo writes its hashes.

    FNV-1a (32 bit) over compact JSON with sorted keys, in decimal, digits mapped to letters that
    make no words. The cluster's token differs, because Go writes all fields in its own order.
    """
    written = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    value = _FNV_OFFSET
    for byte in written.encode():
        value = (value ^ byte) * _FNV_PRIME & 0xFFFFFFFF
    return str(value).translate(_SAFE_ALPHABET)

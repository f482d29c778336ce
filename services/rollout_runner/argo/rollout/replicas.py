"""How many pods canary and stable should have.

Source: argo-rollouts, utils/replicaset/canary.go and replicaset.go; recorded calls of these
functions are in `tests/vectors/argo/rollout_unit.json`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rollout_runner.argo.rollout.weights import canary_replicas_or_weight, weight_to_replicas

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rollout_runner.argo.rollout.model import ReplicaProgressThreshold, RolloutSpec
    from rollout_runner.argo.rollout.observation import ReplicaSet
    from rollout_runner.argo.rollout.status import RolloutStatus, TrafficWeights


def max_surge(spec: RolloutSpec) -> int:
    """Return how many pods there may be beyond `spec.replicas`."""
    return spec.canary.max_surge.of(spec.replicas, round_up=True)


def max_unavailable(spec: RolloutSpec) -> int:
    """Return how many of `spec.replicas` may be missing; 1 when it and maxSurge round to 0."""
    unavailable = spec.canary.max_unavailable.of(spec.replicas, round_up=False)
    if unavailable == 0 and max_surge(spec) == 0:
        unavailable = 1
    return min(unavailable, spec.replicas)


def stable_exists(new_rs: ReplicaSet | None, stable_rs: ReplicaSet | None) -> bool:
    """Tell whether there is a stable ReplicaSet apart from the new one."""
    return stable_rs is not None and (new_rs is None or new_rs.hash != stable_rs.hash)


def progress_threshold_met(
    threshold: ReplicaProgressThreshold | None, rs: ReplicaSet | None, desired: int
) -> bool:
    """Tell whether enough of the desired pods are available; all of them without a threshold."""
    if threshold is None or rs is None or threshold.value < 0:
        return rs is not None and desired == rs.replicas == rs.available
    if threshold.percent:
        return rs.available * 100 >= threshold.value * desired
    return rs.available >= threshold.value


def at_desired_counts(
    spec: RolloutSpec,
    status: RolloutStatus,
    new_rs: ReplicaSet | None,
    stable_rs: ReplicaSet | None,
    other_rss: Sequence[ReplicaSet],
    *,
    weights: TrafficWeights | None,
) -> bool:
    """Tell whether the pods are there that the current step wants."""
    canary = spec.canary
    routed = canary.traffic_routing is not None
    if routed:
        desired_new, desired_stable = traffic_routed_counts(
            spec, status, new_rs, stable_rs, weights
        )
    else:
        desired_new, desired_stable = basic_canary_counts(
            spec, status, new_rs, stable_rs, other_rss
        )
    if not progress_threshold_met(canary.replica_progress_threshold, new_rs, desired_new):
        return False
    if not (routed and canary.dynamic_stable_scale) and not (
        stable_rs is not None and desired_stable == stable_rs.replicas == stable_rs.current
    ):
        return False
    # Without a router the pods of other versions would serve traffic.
    return routed or not any(rs.available for rs in other_rss)


def traffic_routed_counts(
    spec: RolloutSpec,
    status: RolloutStatus,
    new_rs: ReplicaSet | None,
    stable_rs: ReplicaSet | None,
    weights: TrafficWeights | None,
) -> tuple[int, int]:
    """Return (canary, stable) when a router splits the traffic.

    Stable stays whole unless `dynamicStableScale`; then each side keeps what its present or its
    wanted weight needs, whichever is more.
    """
    canary = spec.canary
    max_weight = canary.max_traffic_weight
    fixed, weight = canary_replicas_or_weight(spec, status, new_rs, stable_rs)
    if fixed is None:
        new_count = _at_least_min_pods(spec, weight_to_replicas(spec.replicas, weight, max_weight))
    else:
        new_count = fixed
    if not canary.dynamic_stable_scale:
        return new_count, spec.replicas
    stable_count = weight_to_replicas(spec.replicas, max_weight - weight, max_weight)
    if weights is not None:
        carried = weight_to_replicas(spec.replicas, weights.stable.weight, max_weight)
        stable_count = max(stable_count, carried)
        if status.abort:
            carried = weight_to_replicas(spec.replicas, weights.canary.weight, max_weight)
            new_count = max(new_count, carried)
    return _at_least_min_pods(spec, new_count), _at_least_min_pods(spec, stable_count)


def _at_least_min_pods(spec: RolloutSpec, count: int) -> int:
    minimum = spec.canary.min_pods_per_replica_set
    if count == 0 or minimum is None or spec.canary.traffic_routing is None:
        return count
    return max(count, min(minimum, spec.replicas))


def basic_canary_counts(
    spec: RolloutSpec,
    status: RolloutStatus,
    new_rs: ReplicaSet | None,
    stable_rs: ReplicaSet | None,
    other_rss: Sequence[ReplicaSet],
) -> tuple[int, int]:
    """Return (canary, stable) to go to next when the number of pods makes the weight.

    One move at a time: first up, as far as maxSurge allows, stable before canary; then down, as far
    as maxUnavailable allows, other ReplicaSets before these two.
    """
    _, weight = canary_replicas_or_weight(spec, status, new_rs, stable_rs)
    desired_new, desired_stable = approximate_counts(
        spec.replicas, weight, spec.canary.max_traffic_weight, max_surge(spec)
    )
    new_count = 0 if new_rs is None else new_rs.replicas
    stable = stable_rs if stable_exists(new_rs, stable_rs) else None
    stable_count = 0
    if stable is None:
        desired_new, desired_stable = spec.replicas, 0
    else:
        stable_count = stable.replicas

    others = _wanted(other_rss)
    limit = spec.replicas + max_surge(spec)
    room = limit - others - new_count - stable_count
    if stable is not None and stable.replicas < desired_stable and room > 0:
        stable_count = min(desired_stable, stable.replicas + room)
        room -= stable_count - stable.replicas
    if new_rs is not None and new_rs.replicas < desired_new and room > 0:
        new_count = min(desired_new, new_rs.replicas + room)
    if others > 0:
        return new_count, stable_count

    floor = spec.replicas - max_unavailable(spec)
    growing = new_rs is None or desired_new >= new_rs.replicas
    # What shrinks may consist of pods that never came up; they must not hold the shrinking back.
    in_service = _counted_for_scale_down(new_rs, ignore_availability=not growing)
    in_service += _counted_for_scale_down(stable_rs, ignore_availability=growing)
    if in_service <= floor:
        return new_count, stable_count
    spare = in_service - floor
    if not growing:
        new_count = _shrunk(new_rs, desired_new, spare, new_count)
        return _within_limits(new_rs, stable_rs, new_count, stable_count, limit=limit, floor=floor)
    if stable is not None:
        stable_count = _shrunk(stable, desired_stable, spare, stable_count)
        stable_count, new_count = _within_limits(
            stable, new_rs, stable_count, new_count, limit=limit, floor=floor
        )
    return new_count, stable_count


def approximate_counts(replicas: int, weight: int, max_weight: int, surge: int) -> tuple[int, int]:
    """Return the (canary, stable) whose ratio comes closest to the weight.

    They add up to `replicas`, or to one more if surging is allowed. With two pods or more, both
    sides have at least one unless the weight is nothing or everything. A tie goes to the canary.
    """
    if replicas == 0:
        return 0, 0
    share = replicas * weight
    ceiling, floor = -(-share // max_weight), share // max_weight
    may_be_empty = weight in {0, max_weight} or (replicas == 1 and surge == 0)
    options: list[tuple[int, int]] = []
    if ceiling < replicas or may_be_empty:
        options.append((ceiling, replicas))
    if not _tied(weight, max_weight, replicas) and (floor or may_be_empty):
        options.append((floor, replicas))
    if surge > 0:
        options.append((ceiling, replicas + 1))
        if not _tied(weight, max_weight, replicas + 1) and (floor or may_be_empty):
            options.append((floor, replicas + 1))
    if not options:
        return 0, replicas
    canary, total = min(
        options, key=lambda option: abs(option[0] * max_weight / option[1] - weight)
    )
    return canary, total - canary


def _tied(weight: int, max_weight: int, total: int) -> bool:
    """Tell whether rounding up and down are equally far; in floating point, as Argo does it."""
    return math.modf(total * (weight / max_weight))[0] == 0.5


def _wanted(replica_sets: Iterable[ReplicaSet]) -> int:
    return sum(rs.replicas for rs in replica_sets)


def _counted_for_scale_down(rs: ReplicaSet | None, *, ignore_availability: bool) -> int:
    if rs is None:
        return 0
    if ignore_availability or rs.replicas < rs.available:
        return rs.replicas
    return rs.available


def _shrunk(rs: ReplicaSet | None, desired: int, spare: int, count: int) -> int:
    if rs is not None and rs.replicas > desired:
        return max(desired, rs.replicas - spare)
    return count


def _within_limits(
    drain: ReplicaSet | None,
    keep: ReplicaSet | None,
    drain_count: int,
    keep_count: int,
    *,
    limit: int,
    floor: int,
) -> tuple[int, int]:
    """Take pods beyond `limit` from `keep`, but not those that availability still needs."""
    if keep is None:
        return drain_count, keep_count
    available = 0 if drain is None else min(drain.available, drain_count)
    keep_count -= max(0, keep_count + drain_count - limit)
    available += min(keep.available, keep_count)
    given_up = max(0, keep.available - keep_count)
    keep_count += min(given_up, max(0, floor - available))
    return drain_count - max(0, keep_count + drain_count - limit), keep_count

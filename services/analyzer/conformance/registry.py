"""Every kind of vector file, by the stem of its name, and its replay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analyzer.conformance import contenders, kayenta

if TYPE_CHECKING:
    from collections.abc import Mapping

    from analyzer.conformance.record import Replay

REPLAYS: Mapping[str, Replay] = {
    "asymptotic_cs": contenders.replay_asymptotic_cs,
    "boundaries": contenders.replay_boundary,
    "cmh": contenders.replay_cmh,
    "kayenta_classifier": kayenta.replay_classifier,
    "kayenta_issues": kayenta.replay_issue,
    "kayenta_mannwhitney": kayenta.replay_mann_whitney,
    "kayenta_scorer": kayenta.replay_scorer,
    "kayenta_stats": kayenta.replay_statistics,
    "ks_2samp": contenders.replay_ks,
    "lindon_malek_multinomial": contenders.replay_multinomial,
    "mannwhitney": contenders.replay_mann_whitney,
    "two_proportion": contenders.replay_two_proportion,
}

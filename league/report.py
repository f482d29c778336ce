"""Tables in Markdown and plots in SVG; the same results give the same bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from league.goals import findings, percent, row
from league.scenarios import ALL, ERRORS, ErrorScenario

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Documents = Mapping[str, Any]

DOCS = Path(__file__).parent.parent / "docs" / "league"


def load(folder: Path) -> dict[str, Any]:
    """Return the documents of a folder in the order of the scenarios."""
    return {
        name: json.loads((folder / f"{name}.json").read_bytes())
        for name in ALL
        if (folder / f"{name}.json").exists()
    }


def write(documents: Documents, folder: Path = DOCS) -> None:
    """Write the tables and plots."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.md").write_text(tables(documents), encoding="utf-8")
    _plots(documents, folder)


def tables(documents: Documents) -> str:
    """Return all tables as one Markdown page."""
    parts = [
        "# Results of the judge league",
        "",
        (
            "Written by `make league`; do not edit. What the scenarios and contenders are: "
            "[README](README.md)."
        ),
        "",
        "## Goals",
        "",
        *_table(
            ("Goal", "Measured", "Aim", "Reached", ""),
            [(one.goal, one.what, one.aim, one.reached, one.state) for one in findings(documents)],
        ),
        "",
        (
            "A goal is *within noise* when it was missed but the 95 % interval of the measurement "
            "contains the aim."
        ),
    ]
    for title, errors in (("Errors", True), ("Latency", False)):
        chosen = {
            name: document
            for name, document in documents.items()
            if isinstance(ALL[name], ErrorScenario) is errors
        }
        if chosen:
            parts += ["", f"## {title}", "", *_shares(chosen, null=True)]
            parts += ["", *_shares(chosen, null=False)]
    parts += ["", "## Every scenario in full", ""]
    for name, document in documents.items():
        parts += [f"### {name}: {document['title']}", "", *_full(document), ""]
    return "\n".join(parts).rstrip() + "\n"


def _shares(documents: Documents, *, null: bool) -> list[str]:
    """One line per contender, one column per scenario."""
    names = [name for name, document in documents.items() if document["null"] is null]
    if not names:
        return []
    contenders = dict.fromkeys(
        one["contender"] for name in names for one in documents[name]["rows"]
    )
    what = (
        "Share of rollouts that fail although the canary is no worse (false alarms)."
        if null
        else "Median seconds until the fail, and the share of rollouts that fail."
    )

    def cell(name: str, contender: str) -> str:
        found = row(documents, name, contender)
        if found is None:
            return ""
        if null:
            return percent(found["fail_share"])
        median = found.get("median_fail_s")
        return f"{'–' if median is None else f'{median:g}'} ({100 * found['fail_share']:.0f} %)"  # noqa: RUF001 - a dash

    lines = [(contender, *(cell(name, contender) for name in names)) for contender in contenders]
    return [what, "", *_table(("", *names), lines)]


def _full(document: Mapping[str, Any]) -> list[str]:
    def text(value: object) -> str:
        return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)

    columns = (
        ("contender", "Contender"),
        ("runs", "Rollouts"),
        ("fail_share", "Fail"),
        ("interval", "95 %"),
        ("median_fail_s", "Median s"),
        ("p90_fail_s", "p90 s"),
        ("bad_until_fail", "Bad until"),
        ("pass_share", "Pass"),
        ("median_pass_s", "Median pass s"),
        ("inconclusive_share", "Inconclusive"),
    )
    lines = []
    for one in document["rows"]:
        shown = one | {"interval": f"{percent(one['fail_low'])} to {percent(one['fail_high'])}"}
        shown["fail_share"] = percent(one["fail_share"])
        for key in ("pass_share", "inconclusive_share"):
            if key in one:
                shown[key] = percent(one[key])
        lines.append(tuple(text(shown.get(key)) for key, _ in columns))
    return list(_table(tuple(title for _, title in columns), lines))


def _table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> list[str]:
    return [
        "| " + " | ".join(head) + " |",
        "|" + "---|" * len(head),
        *("| " + " | ".join(line) + " |" for line in lines),
    ]


def _plots(documents: Documents, folder: Path) -> None:
    import matplotlib as mpl  # noqa: PLC0415 - only the report needs it

    mpl.use("svg")
    import matplotlib.pyplot as plt  # noqa: PLC0415 - after the backend is chosen

    mpl.rcParams["svg.hashsalt"] = "gatelab"
    mpl.rcParams["svg.fonttype"] = "none"
    for name, draw in (
        ("false-alarms", _plot_false_alarms),
        ("delay", _plot_delay),
        ("regressions", _plot_regressions),
    ):
        figure, axes = plt.subplots(figsize=(9, 5), layout="constrained")
        draw(documents, axes)
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None, "Creator": "gatelab"})
        plt.close(figure)


def _plot_false_alarms(documents: Documents, axes: Any) -> None:
    """Share of false alarms per null scenario on a log scale, product and selected peers."""
    names = [one.name for one in ERRORS if one.null and one.name in documents]
    for contender, marker in (
        ("Gatelab", "o"),
        ("Kayenta, every poll", "s"),
        ("z, Bonferroni", "^"),
        ("Turner-Gruenwald", "v"),
        ("Argo <3 % [1m], limit 3", "x"),
    ):
        rows = [row(documents, name, contender) for name in names]
        shares = [100 * max(one["fail_share"], 1e-4) if one else None for one in rows]
        axes.plot(range(len(names)), shares, marker, label=contender)
    axes.axhline(1.0, color="black", linewidth=0.8)
    axes.set_yscale("log")
    axes.set_xticks(range(len(names)), names, rotation=90)
    axes.set_ylabel("false alarms, % of rollouts (0 is drawn at 0.01)")
    axes.legend()


def _plot_delay(documents: Documents, axes: Any) -> None:
    """False alarms against mean delay for 2 -> 5 %: who is fast, and at what price."""
    document = documents.get("S6-2-5")
    for one in document["rows"] if document else []:
        null = row(documents, "S0-2-50", one["contender"])
        if null is None:
            continue
        axes.plot(one["mean_fail_s"], 100 * max(null["fail_share"], 1e-4), "o")
        axes.annotate(
            one["contender"], (one["mean_fail_s"], 100 * max(null["fail_share"], 1e-4)), fontsize=7
        )
    axes.axhline(1.0, color="black", linewidth=0.8)
    axes.set_yscale("log")
    axes.set_xscale("log")
    axes.set_xlabel("mean seconds until the fail, 2 -> 5 % at 50/s")
    axes.set_ylabel("false alarms at 2 %, % of rollouts")


def _plot_regressions(documents: Documents, axes: Any) -> None:
    """Share found per regression."""
    names = [name for name, one in documents.items() if not one["null"]]
    for contender, marker in (
        ("Gatelab", "o"),
        ("Kayenta, every poll", "s"),
        ("Kayenta p99, every poll", "s"),
        ("Fisher, Bonferroni", "^"),
        ("Mann-Whitney, Bonferroni", "^"),
    ):
        rows = [row(documents, name, contender) for name in names]
        points = [(i, 100 * one["fail_share"]) for i, one in enumerate(rows) if one]
        if points:
            axes.plot([i for i, _ in points], [y for _, y in points], marker, label=contender)
    axes.set_xticks(range(len(names)), names, rotation=90)
    axes.set_ylabel("regressions found, % of rollouts")
    axes.legend()

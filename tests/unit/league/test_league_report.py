"""Tables, plots and goals from results, also of judges that never fail anything."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from league import report
from league.goals import findings
from league.outcome import Outcome
from league.summary import summarise


def document(name: str, contender: str, failed_at: list[float], *, null: bool) -> dict[str, object]:
    """Return the document of a scenario with one contender."""
    outcome = Outcome(
        failed_at=np.array(failed_at),
        passed_at=np.full(len(failed_at), np.inf),
        seconds=1.0,
        judgements=100,
    )
    row = summarise(contender, "product", outcome, None, 30).document()
    return {"scenario": name, "title": name, "null": null, "seconds": 1.0, "rows": [row]}


def documents() -> dict[str, dict[str, object]]:
    """Return a null scenario, a regression that is found, and two that nobody finds."""
    never = [np.inf] * 20
    return {
        "S0-2-50": document("S0-2-50", "Gatelab", never, null=True),
        "S6-2-5": document("S6-2-5", "Gatelab", [60.0] * 20, null=False),
        "S5": document("S5", "Gatelab", never, null=False),
        "L2": document("L2", "Gatelab", never, null=False),
    }


def test_a_regression_that_nobody_finds_is_a_missed_goal_and_no_error() -> None:
    """A regression that nobody finds is a missed goal and no error."""
    found = {one.what: one for one in findings(documents())}
    assert (found["median delay, L2"].reached, found["median delay, L2"].state) == (
        "never",
        "missed",
    )
    assert found["median delay of a regression at 300 s"].state == "missed"
    assert found["false alarms, S0-2-50"].state == "met"
    assert found["pass without a difference"].state == "missed"


def test_the_same_results_give_the_same_bytes(tmp_path: Path) -> None:
    """The same results give the same bytes."""
    written = []
    for name in ("one", "two"):
        folder = tmp_path / name
        report.write(documents(), folder)
        written.append({path.name: path.read_bytes() for path in sorted(folder.iterdir())})
    assert written[0] == written[1]
    assert set(written[0]) == {
        "results.md",
        "false-alarms.svg",
        "delay.svg",
        "regressions.svg",
    }
    assert b"60 (100 %)" in written[0]["results.md"]

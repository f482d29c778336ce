"""Run the league: `python -m league [NAME …] [--quick] [--runs N] [--jobs N] [--report] [--list]`.

Scenarios run in parallel, each writes league/results/NAME.json, and a scenario whose code and
inputs have not changed is not run again, so an interrupted league goes on where it was. At the end
the tables and plots of docs/league are written, and the goals are printed as met or missed.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from league import report
from league.cells import RESULTS, Size, run_scenario
from league.goals import findings
from league.scenarios import ALL

QUICK = Size(null=200, other=100, product=0.25)
QUICK_RESULTS = Path(".gatelab") / "league"


def main(arguments: list[str]) -> int:
    """Run what was asked for; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m league", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="scenarios, or beginnings of their names")
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"few rollouts, about two minutes; results in {QUICK_RESULTS}, no page is written",
    )
    parser.add_argument("--runs", type=int, default=2000, help="rollouts of a null scenario [2000]")
    parser.add_argument("--alternatives", type=int, default=500, help="of the others [500]")
    parser.add_argument(
        "--product", type=float, default=1.0, help="share of them that the product judges [1]"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--report", action="store_true", help="only write the page again")
    parser.add_argument("--list", action="store_true", help="only list the scenarios")
    options = parser.parse_args(arguments)
    wanted = [
        name
        for name in ALL
        if not options.names or any(name.startswith(start) for start in options.names)
    ]
    if not wanted:
        print("error: no scenario has such a name; --list shows them", file=sys.stderr)
        return 2
    if options.list:
        for name in wanted:
            print(f"{name:24} {ALL[name].title}")
        return 0
    size = Size(
        null=options.runs,
        other=options.alternatives,
        product=options.product,
        seed=options.seed,
    )
    size, folder = (QUICK, QUICK_RESULTS) if options.quick else (size, RESULTS)
    if not options.report:
        _run(wanted, size, folder, jobs=options.jobs)
    documents = report.load(folder)
    if not options.quick:
        report.write(documents)
    for one in findings(documents):
        print(f"{one.goal}  {one.state:12} {one.what}: {one.reached} (aim {one.aim})")
    return 0


def _run(names: list[str], size: Size, folder: Path, *, jobs: int) -> None:
    started = time.perf_counter()
    with ProcessPoolExecutor(max_workers=jobs) as pool:
        waiting = {
            pool.submit(run_scenario, ALL[name], size, folder=folder): name for name in names
        }
        for number, done in enumerate(as_completed(waiting), start=1):
            document = done.result()
            first = document["rows"][0]
            print(
                f"[{number}/{len(names)}] {waiting[done]:20} {document['seconds']:7.1f} s  "
                f"fail {100 * first['fail_share']:.2f} % of {first['runs']}, "
                f"median {first.get('median_fail_s', '-')} s",
                flush=True,
            )
    print(f"{len(names)} scenarios in {time.perf_counter() - started:.0f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Two replicas on one real PostgreSQL server: one truth, whoever writes it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from test_analyzer_runs import QUERY, Apm

from analyzer.adapters.store import SqlRunStore
from analyzer.domain.model import ArmCounts, Window
from analyzer.domain.observation import ERRORS, CountArms, Observation
from analyzer.domain.setup import RunOrigin, Setup, StoredRun
from analyzer.schemas.config_file import preset
from analyzer_bench import START, analyzer_client
from svckit.clock import ManualClock

pytestmark = pytest.mark.external

RUN = StoredRun(
    origin=RunOrigin(app="a", canary="b", stable="c", source="newrelic", start=START),
    setup=Setup(
        run="r",
        config=preset("balanced"),
        metrics=frozenset({ERRORS}),
        horizon_s=660,
        interval_s=30,
    ),
)


def observation(index: int, bad: int = 6) -> Observation:
    """Return window number `index`."""
    return Observation(
        window=Window(start=START + 30 * index, end=START + 30 * (index + 1)),
        metric=ERRORS,
        arms=CountArms(canary=ArmCounts(count=300, bad=bad), stable=ArmCounts(count=1200, bad=24)),
    )


@pytest.fixture(name="url", scope="module")
def _url() -> Iterator[str]:
    """A fresh server that listens on a socket in its own folder, and nowhere else."""
    binaries = [*Path("/usr/lib/postgresql").glob("*/bin"), Path("/usr/bin")]
    found = next((one for one in sorted(binaries, reverse=True) if (one / "initdb").exists()), None)
    if found is None:
        pytest.skip("no PostgreSQL server")
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    user: dict[str, object] = {}
    if os.getuid() == 0:  # the server refuses to be root
        shutil.chown(folder, "nobody", "nogroup")
        user = {"user": "nobody", "group": "nogroup", "extra_groups": ()}
    data = folder / "data"
    try:
        subprocess.run(
            [found / "initdb", "-D", data, "-A", "trust", "-U", "gate", "-N"],
            check=True, capture_output=True, cwd=folder, **user,
        )  # fmt: skip
        server = [found / "pg_ctl", "-D", data, "-w", "-t", "60"]
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
        subprocess.run(
            [*server, "-o", options, "-l", folder / "log", "start"],
            check=True, cwd=folder, stdout=subprocess.DEVNULL, **user,
        )  # fmt: skip
        try:
            yield f"postgresql://gate@/postgres?host={folder}"
        finally:
            subprocess.run(
                [*server, "-m", "immediate", "stop"],
                check=True, cwd=folder, stdout=subprocess.DEVNULL, **user,
            )  # fmt: skip
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(name="stores")
def _stores(url: str) -> Iterator[tuple[SqlRunStore, SqlRunStore]]:
    made = [SqlRunStore(url=url.replace("postgresql", "postgresql+psycopg", 1)) for _ in "ab"]
    yield made[0], made[1]
    for one in made:
        one.close()


def test_of_two_writers_one_is_first(stores: tuple[SqlRunStore, SqlRunStore]) -> None:
    """The other one learns that it was too late, and nothing of it is kept."""
    one, two = stores
    assert one.find("r") is None
    with ThreadPoolExecutor(2) as pool:
        begun = list(pool.map(lambda store: store.begin(RUN), stores))
        assert begun == [RUN, RUN]
        for index in range(20):
            kept = list(
                pool.map(
                    lambda store, at=index: store.append("r", [observation(at)], after=at), stores
                )
            )
            assert sorted(kept) == [False, True]
    assert one.observations("r", skip=0) == two.observations("r", skip=0)
    assert two.observations("r", skip=18) == [observation(18), observation(19)]


def test_a_window_cannot_be_kept_twice(stores: tuple[SqlRunStore, SqlRunStore]) -> None:
    """Not even by one who counts wrongly."""
    one, _ = stores
    run = StoredRun(origin=RUN.origin, setup=Setup(**{**_fields(RUN.setup), "run": "twice"}))
    one.begin(run)
    assert one.append("twice", [observation(0)], after=0)
    with pytest.raises(Exception, match="store of runs failed"):
        one.append("twice", [observation(0, bad=7)], after=1)
    assert one.observations("twice", skip=0) == [observation(0)]


@pytest.mark.anyio
async def test_replicas_behind_one_service_agree(url: str) -> None:
    """Calls land on either of them; both give the same bytes, and so does a third, new one."""
    clock, apm = ManualClock(START), Apm()
    settings = {"clock": clock, "ephemeral": False, "state_url": url}
    async with analyzer_client(apm, **settings) as one, analyzer_client(apm, **settings) as two:
        for turn in range(6):
            answers = [(await each.get(QUERY)).content for each in (one, two)[:: (-1) ** turn]]
            assert answers[0] == answers[1]
            clock.advance(30)
        async with analyzer_client(apm, **settings) as three:
            assert (await three.get(QUERY)).content == (await one.get(QUERY)).content


def _fields(setup: Setup) -> dict[str, object]:
    return {name: getattr(setup, name) for name in Setup.__slots__}

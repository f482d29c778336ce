"""The event log on disk, and the folder that it lies in."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollout_runner.adapters.event_log import EventFile, Tee, read_events, run_folder
from rollout_runner.events import Event, Warned, moment
from svckit.errors import Conflict, InvalidInput

ONE, TWO = (Warned(at=moment(second), message=f"m{second}") for second in (1, 2))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """In order, from a folder that did not exist."""
    path = tmp_path / "new" / "events.jsonl"
    with EventFile(path) as file:
        file.write(ONE)
        file.write(TWO)
    assert read_events(path) == (ONE, TWO)


def test_each_event_is_on_disk_at_once(tmp_path: Path) -> None:
    """A run that is killed has lost nothing that it wrote."""
    path = tmp_path / "events.jsonl"
    with EventFile(path) as file:
        file.write(ONE)
        assert read_events(path) == (ONE,)


def test_a_new_log_replaces_the_old_one(tmp_path: Path) -> None:
    """Two runs are never mixed."""
    path = tmp_path / "events.jsonl"
    for event in (ONE, TWO):
        with EventFile(path) as file:
            file.write(event)
    assert read_events(path) == (TWO,)


def test_a_torn_log_is_read_up_to_the_tear(tmp_path: Path) -> None:
    """As a killed run leaves it."""
    path = tmp_path / "events.jsonl"
    with EventFile(path) as file:
        file.write(ONE)
        file.write(TWO)
    path.write_bytes(path.read_bytes()[:-5])
    assert read_events(path) == (ONE,)


def test_another_file_is_no_event_log(tmp_path: Path) -> None:
    """It is refused with its name and line, rather than read as an empty log."""
    path = tmp_path / "README.md"
    path.write_text("# Gatelab\n")
    with pytest.raises(InvalidInput, match=r"README\.md: line 1 is not an event"):
        read_events(path)


@pytest.mark.parametrize("name", ["nowhere.jsonl", "."])
def test_a_log_that_cannot_be_read(name: str, tmp_path: Path) -> None:
    """Missing, or a folder."""
    with pytest.raises(InvalidInput, match="event log") as caught:
        read_events(tmp_path / name)
    assert caught.value.hint == "gatelab run writes events.jsonl"


def test_a_tee_hands_on_in_order() -> None:
    """The file first, so that what is shown is already written."""
    told: list[tuple[str, Event]] = []
    tee = Tee(lambda event: told.append(("a", event)), lambda event: told.append(("b", event)))
    tee.write(ONE)
    tee.write(TWO)
    assert told == [("a", ONE), ("b", ONE), ("a", TWO), ("b", TWO)]


def test_a_folder_has_one_run_at_a_time(tmp_path: Path) -> None:
    """The second is refused while the first goes on, and welcome afterwards."""
    folder = tmp_path / "runs" / "x"
    with run_folder(folder), pytest.raises(Conflict, match="in progress"), run_folder(folder):
        pass
    with run_folder(folder):
        assert folder.is_dir()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """A file is in the way."""
    (tmp_path / "x").write_text("")
    with pytest.raises(InvalidInput, match="folder") as caught, run_folder(tmp_path / "x"):
        pass
    assert "--dir" in caught.value.hint

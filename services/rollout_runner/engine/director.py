"""Directs a scenario: performs what its timeline says, when it is due."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout_runner.events import OperatorCommand, ScenarioAction, moment

if TYPE_CHECKING:
    from rollout_runner.ports import EventSink, World
    from rollout_runner.scenarios.model import TimelineEntry
    from svckit.clock import Clock


class Director:
    """Holds the entries that have not happened yet; their times count from `begin`.

    Operator commands are only collected: whoever drives the controller takes and performs them.
    """

    def __init__(self, *, world: World, clock: Clock, sink: EventSink) -> None:
        self._world = world
        self._clock = clock
        self._sink = sink
        self._pending: list[TimelineEntry] = []
        self._commands: list[str] = []
        self._began_at = 0.0

    def begin(self, entries: tuple[TimelineEntry, ...]) -> None:
        """Start the timeline now."""
        self._pending = list(entries)
        self._began_at = self._clock.now()

    async def step_started(self, index: int) -> None:
        """Perform what waits for this step."""
        await self._perform(
            [entry for entry in self._pending if entry.on is not None and entry.on.step == index]
        )

    async def phase_reached(self, phase: str) -> None:
        """Perform what waits for the Rollout to come to this phase."""
        await self._perform(
            [entry for entry in self._pending if entry.on is not None and entry.on.phase == phase]
        )

    async def time_passed(self) -> None:
        """Perform what is due by now, earliest first."""
        now = self._clock.now()
        due = [
            entry
            for entry in self._pending
            if entry.at is not None and self._began_at + entry.at <= now
        ]
        await self._perform(sorted(due, key=lambda entry: entry.at or 0.0))

    def request(self, command: str) -> None:
        """Take an operator command, from the scenario or from a person."""
        self._commands.append(command)
        self._sink.write(OperatorCommand(at=moment(self._clock.now()), command=command))

    def take_commands(self) -> list[str]:
        """Return the operator commands that came up since the last call."""
        commands, self._commands = self._commands, []
        return commands

    @property
    def next_at(self) -> float | None:
        """The instant of the next timed entry, None when there is none."""
        times = [entry.at for entry in self._pending if entry.at is not None]
        return self._began_at + min(times) if times else None

    @property
    def has_commands(self) -> bool:
        """Whether operator commands wait to be taken."""
        return bool(self._commands)

    def will(self, *commands: str) -> bool:
        """Say whether one of these operator commands is still to come at a set time."""
        return any(entry.do in commands for entry in self._pending if entry.at is not None)

    @property
    def pending(self) -> tuple[TimelineEntry, ...]:
        """Entries that have not happened."""
        return tuple(self._pending)

    async def _perform(self, entries: list[TimelineEntry]) -> None:
        for entry in entries:
            self._pending.remove(entry)
            if entry.do is not None:
                self.request(entry.do)
                continue
            detail = await self._world.act(entry)
            self._sink.write(
                ScenarioAction(at=moment(self._clock.now()), action=entry.actions[0], detail=detail)
            )

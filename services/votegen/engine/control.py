"""The life of runs behind the control plane: one plan, at most one run at a time."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import structlog

from svckit.errors import Conflict

if TYPE_CHECKING:
    from collections.abc import Callable

    from votegen.domain.plan import Plan
    from votegen.engine.openloop import Engine

STOP_SECONDS = 5.0


class RunState(StrEnum):
    """What the generator is doing."""

    IDLE = "idle"
    RUNNING = "running"
    STOPPING = "stopping"
    FINISHED = "finished"
    FAILED = "failed"


class Controller:
    """Holds the plan and the run; results stay readable until the next start.

    Args:
        start_engine: builds the engine of a plan.
    """

    def __init__(self, start_engine: Callable[[Plan], Engine]) -> None:
        self._start_engine = start_engine
        self._plan: Plan | None = None
        self._engine: Engine | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._log = structlog.get_logger()

    @property
    def engine(self) -> Engine | None:
        """The present or the last run."""
        return self._engine

    @property
    def plan(self) -> Plan:
        """The plan in force.

        Raises:
            Conflict: none was given yet.
        """
        if self._plan is None:
            raise Conflict("there is no plan", code="no_plan", hint="PUT /control/plan first")
        return self._plan

    @property
    def state(self) -> RunState:
        """What the generator is doing."""
        if self._task is None:
            return RunState.IDLE
        if not self._task.done():
            return RunState.STOPPING if self._stopping else RunState.RUNNING
        failed = not self._task.cancelled() and self._task.exception() is not None
        return RunState.FAILED if failed else RunState.FINISHED

    @property
    def reachable(self) -> bool:
        """Whether the targets of the run take connections; true without a run."""
        match self.state:
            case RunState.RUNNING:
                return self._engine is not None and self._engine.reachable
            case RunState.FAILED:
                return False
            case _:
                return True

    def replace_plan(self, plan: Plan) -> None:
        """Take a new plan for the next start.

        Raises:
            Conflict: a run is under way.
        """
        if self.state in {RunState.RUNNING, RunState.STOPPING}:
            raise Conflict(
                "a run is under way",
                code="running",
                hint="PATCH /control/plan changes rate, weights and targets; stop for the rest",
            )
        self._plan = plan

    def change_plan(self, plan: Plan) -> None:
        """Put a changed plan in force at once, in the run too if there is one."""
        if self.state is RunState.RUNNING and self._engine is not None:
            self._engine.change(plan)
        self._plan = plan
        self._log.info("plan_changed", rate=plan.rate, weights=_weights(plan))

    def start(self) -> None:
        """Start the plan; counters begin at zero.

        Raises:
            Conflict: no plan, or a run is under way.
        """
        plan = self.plan
        if self.state in {RunState.RUNNING, RunState.STOPPING}:
            raise Conflict("a run is already under way", code="running", hint="stop it first")
        self._engine = self._start_engine(plan)
        self._stopping = False
        self._task = asyncio.get_running_loop().create_task(self._engine.run())
        self._task.add_done_callback(self._report_end)
        self._log.info("run_started", rate=plan.rate, weights=_weights(plan))

    async def stop(self) -> None:
        """Stop sending and wait for what is under way; no run is no error."""
        if self._task is None or self._engine is None:
            return
        if not self._task.done():
            self._stopping = True
            self._engine.stop(drain_seconds=STOP_SECONDS)
        await asyncio.wait({self._task})

    def status(self) -> dict[str, Any]:
        """Return the state, the plan and the result so far."""
        document: dict[str, Any] = {"state": self.state.value}
        if self.state is RunState.FAILED and self._task is not None:
            document["error"] = str(self._task.exception())
        document["plan"] = None if self._plan is None else self._plan.to_document()
        document["result"] = None if self._engine is None else self._engine.snapshot()
        return document

    def _report_end(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            self._log.error("run_failed", exc_info=error)
        elif self._engine is not None:
            self._log.info("run_finished", requests=self._engine.tally.planned)


def _weights(plan: Plan) -> dict[str, float]:
    return {target.name: target.weight for target in plan.targets}

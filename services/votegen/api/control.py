"""Plan, start, stop, status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter

from votegen.schemas import PlanBody, PlanChange  # noqa: TC001 - FastAPI reads the annotations

if TYPE_CHECKING:
    from votegen.engine.control import Controller


def control_router(controller: Controller) -> APIRouter:
    """Return the control plane's routes."""
    router = APIRouter(tags=["control"])

    @router.put("/control/plan", summary="Give the plan of the next run")
    async def put_plan(body: PlanBody) -> dict[str, Any]:
        controller.replace_plan(body.to_domain())
        return controller.plan.to_document()

    @router.patch("/control/plan", summary="Change rate, weights or targets, at once")
    async def patch_plan(body: PlanChange) -> dict[str, Any]:
        controller.change_plan(body.apply(controller.plan))
        return controller.plan.to_document()

    @router.get("/control/plan", summary="The plan in force")
    async def get_plan() -> dict[str, Any]:
        return controller.plan.to_document()

    @router.post("/control/start", summary="Start the plan; counters begin at zero")
    async def start() -> dict[str, Any]:
        controller.start()
        return controller.status()

    @router.post("/control/stop", summary="Stop; answers when nothing is under way any more")
    async def stop() -> dict[str, Any]:
        await controller.stop()
        return controller.status()

    @router.get("/v1/status", summary="State, plan and the result so far")
    async def status() -> dict[str, Any]:
        return controller.status()

    return router

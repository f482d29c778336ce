"""Check a target's health: guard first, then one GET; healthy is exactly HTTP 200."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from analyzer.domain.targets import TargetRules
    from analyzer.ports import HealthProbe

_HEALTHY_CODE = 200


class HealthService:
    """Probes what the rules allow."""

    def __init__(self, *, rules: TargetRules, probe: HealthProbe) -> None:
        self._rules = rules
        self._probe = probe
        self._log = structlog.get_logger()

    async def check(self, *, service: str, namespace: str, path: str) -> dict[str, Any]:
        """Return status, HTTP code, latency and reason.

        Raises:
            InvalidInput: the target cannot be one.
            Forbidden: the target is not on the allow-list; nothing was sent.
        """
        target = self._rules.check(service=service, namespace=namespace, path=path)
        result = await self._probe.probe(target, base_url=self._rules.base_url(target))
        healthy = result.http_code == _HEALTHY_CODE
        reason = result.failure or f"HTTP {result.http_code}"
        if not healthy:
            self._log.warning("target_unhealthy", target=target.name, reason=reason)
        return {
            "status": "healthy" if healthy else "unhealthy",
            "httpCode": result.http_code,
            "latencyMs": round(result.latency_ms, 3),
            "reason": reason,
            "url": f"http://{target.host}{target.path}",
        }

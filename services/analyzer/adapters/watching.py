"""Follow a run of an analyzer that is elsewhere: ask, tell what is new, end at a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx

from svckit.errors import InvalidInput, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from svckit.clock import Clock

MOST_FAILURES = 5
"""In a row, after which nobody is there to judge; Argo gives up after as many."""
_FINAL = ("pass", "fail")


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What is followed.

    Attributes:
        run: its name.
        question: parameters of GET /v1/analysis, which makes the run go on; empty only looks on.
        every_s, for_s: time between two questions, and until giving up.
        until: verdicts at which watching ends.
    """

    run: str
    question: Mapping[str, str]
    every_s: float
    for_s: float
    until: tuple[str, ...] = _FINAL


async def follow(
    client: httpx.AsyncClient, watch: Watch, *, clock: Clock, tell: Callable[[dict[str, Any]], None]
) -> str:
    """Tell every new look, and return the last verdict.

    Raises:
        InvalidInput: the analyzer refused the question, or does not know the run.
        Unavailable: it could not judge several times in a row.
    """
    end = clock.now() + watch.for_s
    told, failures, verdict = "", 0, "inconclusive"
    while True:
        try:
            answer = await _ask(client, watch)
            failures = 0
        except Unavailable:
            failures += 1
            if failures >= MOST_FAILURES:
                raise
        else:
            for look in _looks(answer):
                if look["timestamp"] > told:
                    told = look["timestamp"]
                    tell(look)
            verdict = str(answer.get("current", answer)["verdict"])
            if verdict in watch.until:
                return verdict
        if clock.now() + watch.every_s > end:
            return verdict
        await clock.sleep(watch.every_s)


def _looks(answer: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the looks of an answer, of either kind, in one form."""
    if "looks" not in answer:
        if answer["timestamp"] is not None:
            yield {
                name: answer[name]
                for name in ("timestamp", "verdict", "reasonCode", "reason", "metrics")
            }
        return
    for look in answer["looks"]:
        deciding = [one for one in look["metrics"] if one["reasonCode"] == look["reasonCode"]]
        yield {
            "timestamp": look["end"],
            "verdict": look["verdict"],
            "reasonCode": look["reasonCode"],
            "reason": deciding[0]["reason"] if deciding else "",
            "metrics": look["metrics"],
        }


async def _ask(client: httpx.AsyncClient, watch: Watch) -> dict[str, Any]:
    path = "/v1/analysis" if watch.question else f"/v1/analysis/{quote(watch.run, safe='')}"
    parameters = {**watch.question, "run": watch.run} if watch.question else {}
    try:
        response = await client.get(path, params=parameters)
        document = response.json()
    except httpx.HTTPError as error:
        raise _unavailable(f"it could not be reached ({type(error).__name__})") from None
    except ValueError:
        raise _unavailable("it did not answer with JSON") from None
    if response.status_code == httpx.codes.OK:
        found: dict[str, Any] = document
        return found
    said = document.get("detail", "") if isinstance(document, dict) else ""
    if httpx.codes.is_client_error(response.status_code):
        raise InvalidInput(f"the analyzer refused: {said}")
    raise _unavailable(f"HTTP {response.status_code}: {said}")


def _unavailable(what: str) -> Unavailable:
    return Unavailable(
        f"the analyzer could not judge: {what}", hint="is --url its address, and its source there?"
    )

"""The APM page in a real browser: live values, faults by keyboard, dark mode."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from e2e.browser import Page, browsing
from e2e.programs import serving
from svckit.clock import clock_from_environment

pytestmark = [pytest.mark.e2e, pytest.mark.external]

READER = {"Api-Key": "test-key"}


@pytest.fixture(name="mock", scope="module")
def _mock() -> Iterator[str]:
    """Return a mock with two minutes of a healthy stable and a canary that fails 5 %."""
    with serving("mock_newrelic", "--ephemeral") as url:
        now = clock_from_environment().now()
        for second in range(120):
            events = [
                _event(now - second, role, n) for role in ("stable", "canary") for n in range(20)
            ]
            httpx.post(
                f"{url}/v1/accounts/1/events", json=events, headers=READER, trust_env=False
            ).raise_for_status()
        httpx.post(
            f"{url}/v2/applications/{_identity(url)}/deployments.json",
            json={
                "deployment": {
                    "revision": "v17",
                    "user": "platform",
                    "description": "Canary at 20 %",
                    "timestamp": datetime.fromtimestamp(now - 60, UTC).strftime(
                        "%Y-%m-%dT%H:%M:%SZ"
                    ),
                }
            },
            headers=READER,
            trust_env=False,
        ).raise_for_status()
        yield url


def _event(at: float, role: str, number: int) -> dict[str, Any]:
    failed = role == "canary" and number == 0
    return {
        "eventType": "Transaction",
        "appName": "voting01-vote-qa",
        "timestamp": int(at * 1000),
        "duration": 0.02 + 0.002 * number * (3 if role == "canary" else 1),
        "httpResponseCode": "500" if failed else "200",
        "error": failed,
        "role": role,
        "podTemplateHash": "7cd75c6d7c" if role == "canary" else "79bd65fcc9",
    }


def _identity(url: str) -> int:
    found = httpx.get(f"{url}/v2/applications.json", headers=READER, trust_env=False).json()
    return int(found["applications"][0]["id"])


@pytest.fixture(name="page")
def _page() -> Iterator[Page]:
    with browsing() as page:
        yield page


def test_arms_charts_and_deployments_are_drawn(mock: str, page: Page, tmp_path: Path) -> None:
    """Roles have their own values, every chart is a canvas, the marker is listed."""
    page.goto(mock)
    page.wait_for_selector("#live.good")
    assert page.locator(".uplot canvas").count() == 4
    arms = page.locator("#arms tbody tr")
    assert arms.count() == 3
    canary = arms.filter(has_text="canary").inner_text()
    assert "5" in canary.split("\t")[3]
    assert "v17" in page.locator("#deployments").inner_text()
    assert page.problems == []
    page.screenshot(path=tmp_path / "light.png", full_page=True)


def test_the_page_follows_a_dark_desktop(mock: str, page: Page, tmp_path: Path) -> None:
    """Background and text swap, and the text stays readable."""
    page.emulate_media(color_scheme="dark")
    page.goto(mock)
    page.wait_for_selector("#live.good")
    red, green, blue = (
        int(part)
        for part in page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g)")[
            :3
        ]
    )
    assert max(red, green, blue) < 80
    page.screenshot(path=tmp_path / "dark.png", full_page=True)


def test_a_fault_is_injected_and_cleared_by_keyboard(mock: str, page: Page, tmp_path: Path) -> None:
    """From the skip link to the button without a mouse; the facade lies, and then no more."""
    page.goto(mock)
    page.wait_for_selector("#live.good")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.focus("#inject [name=app]")
    for _ in range(3):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.name") == "effect"
    page.keyboard.type("set")
    page.keyboard.press("Tab")
    page.keyboard.type("42.5")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.type("admin-key")
    page.keyboard.press("Enter")
    page.wait_for_selector("#injections tr.bad")
    row = page.locator("#injections tr.bad").inner_text()
    assert "42.5" in row
    assert "m" in row
    assert _rate(mock) == 42.5
    page.screenshot(path=tmp_path / "injected.png", full_page=True)
    page.locator("#injections tr.bad button").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#injections tr.bad", state="detached")
    assert _rate(mock) == 2.5
    # The key that injected opens the journal.
    page.wait_for_selector("#journal:not([hidden])")
    assert "/v1/metrics" in page.locator("#journal").inner_text()
    assert page.problems == []


def test_a_wrong_key_is_told_in_place(mock: str, page: Page) -> None:
    """The page stays, with what was typed, and says what is wrong."""
    page.goto(mock)
    page.wait_for_selector("#live.good")
    page.fill("#inject [name=value]", "1")
    page.fill("#inject [name=key]", "test-key")
    page.click("#inject button")
    page.wait_for_selector("#problem:not([hidden])")
    assert "key" in page.locator("#problem").inner_text()
    assert page.input_value("#inject [name=value]") == "1"
    assert page.locator("#injections tr.bad").count() == 0


def _rate(mock: str) -> float:
    answer = httpx.get(
        f"{mock}/v1/metrics",
        params={"app": "voting01-vote-qa", "metric": "errorRate", "window": "10m"},
        headers=READER,
        trust_env=False,
    )
    return float(answer.json()["errorRate"])

"""Events become counts by series and second."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mock_newrelic.domain.ingest.batch import Batch
from mock_newrelic.domain.ingest.event_api import ProbeRule, read_batch
from mock_newrelic.domain.model import SeriesKey

NOW = 1_770_170_400.25


def _read(*events: dict[str, Any]) -> Batch:
    common = {"eventType": "Transaction", "appName": "a"}
    body = json.dumps([{**common, **event} for event in events]).encode()
    return read_batch(body, now=NOW, probes=ProbeRule())


def _labels(**attributes: Any) -> dict[str, str]:
    [key] = _read(attributes).bins
    return dict(key.labels)


def test_counts_of_one_second_are_summed() -> None:
    """Errors, statuses, durations and buckets of a series and second come together."""
    batch = _read(
        {"duration": 0.02, "httpResponseCode": "200"},
        {"duration": 0.02, "httpResponseCode": 503},
        {"duration": 1.5, "httpResponseCode": "404"},
        {"error": True},
    )
    [one] = batch.bins[SeriesKey("a", frozenset())].values()
    assert one.counts == [4, 2, 1, 1, 3, 1_540_000, 0, 0]
    assert sorted(one.histogram.values()) == [1, 2]


@pytest.mark.parametrize(
    ("timestamp", "second"),
    [
        pytest.param(None, 1_770_170_400, id="now"),
        pytest.param(1_770_170_399_999, 1_770_170_399, id="milliseconds"),
        pytest.param(1_770_170_399, 1_770_170_399, id="seconds"),
        pytest.param(1_770_170_399.7, 1_770_170_399, id="fraction"),
    ],
)
def test_seconds_are_those_of_the_event(timestamp: float | None, second: int) -> None:
    """Event time decides, and its absence means now."""
    [seconds] = _read({"timestamp": timestamp}).bins.values()
    assert list(seconds) == [second]


@pytest.mark.parametrize(
    ("attributes", "labels"),
    [
        pytest.param({}, {}, id="none"),
        pytest.param({"role": "", "version": None}, {}, id="empty-and-null"),
        pytest.param({"podTemplateHash": "7cd75c6d7c"}, {"hash": "7cd75c6d7c"}, id="hash"),
        pytest.param(
            {"host": "vote-7cd75c6d7c-7hqnx"},
            {"host": "vote-7cd75c6d7c-7hqnx", "hash": "7cd75c6d7c"},
            id="hash-of-pod-name",
        ),
        pytest.param(
            {"host": "vote-7cd75c6d7c-7hqnx", "podTemplateHash": "x"},
            {"host": "vote-7cd75c6d7c-7hqnx", "hash": "x"},
            id="attribute-wins",
        ),
        pytest.param({"host": "my-laptop"}, {"host": "my-laptop"}, id="no-pod-name"),
        pytest.param({"tags.team": "x", "label.env": "qa"}, {"team": "x", "env": "qa"}, id="tags"),
        pytest.param({"shard": 3, "blue": True}, {"shard": "3", "blue": "true"}, id="scalars"),
        pytest.param({"ratio": 0.5, "list": [1], "none": None}, {}, id="no-labels"),
        pytest.param({"role": "canary", "label.role": "x"}, {"role": "canary"}, id="dimension"),
        pytest.param({"request.uri": "/", "name": "GET /"}, {}, id="of-no-use-as-label"),
    ],
)
def test_labels_of_an_event(attributes: dict[str, Any], labels: dict[str, str]) -> None:
    """Dimensions from their attributes, labels from what is left."""
    assert _labels(**attributes) == labels


def test_both_decoders_agree() -> None:
    """An unknown attribute changes the labels and nothing else."""
    event = {"duration": 0.25, "httpResponseCode": "500", "role": "canary", "timestamp": NOW}
    [plain] = _read(event).bins.values()
    [labelled] = _read({**event, "zone": "a"}).bins.values()
    assert plain == labelled


def test_probes_make_an_application_known() -> None:
    """An application that is only probed is in the batch, without samples."""
    batch = _read({"request.headers.userAgent": "kube-probe/1.29"})
    assert (batch.apps, batch.samples, batch.probes) == ({"a"}, 0, 1)
    assert batch.bins == {}


def test_as_many_kinds_as_events_and_seconds() -> None:
    """Every event of its own host and second: counted in the room of the events, not of the square.

    In a dense table 20,000 hosts by 20,000 seconds would take gigabytes.
    """
    events = [
        {
            "eventType": "Transaction",
            "appName": "a",
            "host": f"h{number}",
            "duration": 0.02,
            "timestamp": (NOW - number) * 1000,
        }
        for number in range(20_000)
    ]
    batch = read_batch(json.dumps(events).encode(), now=NOW, probes=ProbeRule())
    assert len(batch.bins) == batch.samples == 20_000
    assert all(
        one.counts[:1] == [1] and sum(one.histogram.values()) == 1
        for seconds in batch.bins.values()
        for one in seconds.values()
    )

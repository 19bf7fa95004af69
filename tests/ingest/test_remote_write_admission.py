"""What applies to OTLP requests applies to remote write: limits on items, redaction, quotas and keys."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from ingest.access import Lookup, Sender
from ingest.errors import Unauthenticated
from ingest.pipeline import Pipeline
from ingest.receiver import create_app
from ingest.remote_write import PATH
from ingest.settings import IngestSettings
from store import Store
from tests.kit.landing import count, rows
from tests.kit.prompb import V1, V2, Series1, Series2, snappy
from tests.kit.serving import serving

Make = type[Series1] | type[Series2]
BOTH = pytest.mark.parametrize(("make", "headers"), [(Series1, V1), (Series2, V2)])
SECRET = "Zm9vYmFyYmF6cXV4MTIzNA"
HISTOGRAM = {"count_int": 1, "sum": 1.0, "schema": 0, "positive_spans": [{"offset": 1, "length": 1}],
             "positive_deltas": [1]}  # fmt: skip


@contextmanager
def receiving(store: Store, **chosen: Any) -> Iterator[tuple[str, Pipeline]]:
    running = Pipeline(store, IngestSettings(commit_timeout_s=60, **chosen))
    running.start()
    try:
        with serving(create_app(running)) as base:
            yield f"{base}{PATH}", running
    finally:
        running.stop()


def post(url: str, request: Series1 | Series2, headers: dict[str, str]) -> httpx.Response:
    return httpx.post(url, content=snappy(request.message), headers=headers, timeout=90)


def written(answer: httpx.Response) -> tuple[int, ...]:
    parts = ("samples", "histograms", "exemplars")
    return tuple(int(answer.headers[f"x-prometheus-remote-write-{part}-written"]) for part in parts)


@BOTH
def test_limits_on_items_hold(store: Store, make: Make, headers: dict[str, str]) -> None:
    now = time.time_ns() // 1_000_000
    in_time, future, old = now, now + 3_600_000, now - 7_200_000
    cases: list[tuple[dict[str, str], dict[str, Any], tuple[int, ...], int, str]] = [
        ({"a": "1"}, {"samples": [(in_time, 1), (future, 2), (old, 3)]}, (1, 0, 0), 2, "a time too far in the future"),
        ({"a": "2"}, {"samples": [(old, 1)]}, (0, 0, 0), 1, "a time older than what is kept"),
        ({"a": "3"}, {"histograms": [{**HISTOGRAM, "timestamp": future}, {**HISTOGRAM, "timestamp": in_time}]},
         (0, 1, 0), 1, "a time too far in the future"),
        ({"a": "4"}, {"histograms": [{**HISTOGRAM, "timestamp": old}]}, (0, 0, 0), 1, "a time older than what is kept"),
        ({str(n): "x" for n in range(5)}, {"samples": [(in_time, 1)]}, (0, 0, 0), 1, "too many labels"),
        ({"a": "x" * 51}, {"samples": [(in_time, 1)]}, (0, 0, 0), 1, "a label value that is too long"),
        ({"a": "5"}, {"samples": [(in_time, 1)], "exemplars": [({"e": "x" * 51}, 1, in_time)]}, (0, 0, 0), 2,
         "a label value that is too long"),
        ({"a": "x" * 50, "b": "", "c": "1"}, {"samples": [(in_time, 1)]}, (1, 0, 0), 0, ""),
    ]  # fmt: skip
    limits = {"max_future_s": 60, "max_age_s": 3600, "max_attributes": 4, "max_value_bytes": 50}
    with receiving(store, **limits) as (url, running):
        for labels, content, kept, rejected, reason in cases:
            request = make()
            request.add({"__name__": "m", **labels}, **content)
            for _ in range(2):
                answer = post(url, request, headers)
                assert (answer.status_code, written(answer)) == (400 if rejected else 204, kept), labels
                assert reason in answer.text
                assert not rejected or answer.text.startswith(f"{rejected} ")
        refused = running.stats()["rejected"]
    assert refused == {
        "a time too far in the future": 3, "a time older than what is kept": 2, "too many labels": 1,
        "a label value that is too long": 3,
    }  # fmt: skip
    assert (count(store, "otel_metrics_gauge"), count(store, "otel_metrics_exponential_histogram")) == (2, 1)


@BOTH
def test_secrets_are_redacted_and_counted(store: Store, make: Make, headers: dict[str, str]) -> None:
    now = time.time_ns() // 1_000_000
    request = make()
    request.add(
        {"__name__": "m", "job": "j", "api_key": SECRET, "path": f"/x?password={SECRET}&y=1", "plain": "kept"},
        samples=[(now, 1)],
        exemplars=[({"session_token": SECRET, "pod": "p"}, 1.5, now), ({"q": f"Bearer {SECRET}"}, 2.5, now)],
    )
    request.add({"__name__": "h", "job": "j", "auth": f"Authorization: Basic {SECRET}"}, histograms=[
        {**HISTOGRAM, "timestamp": now}])  # fmt: skip
    request.add({"__name__": "plain", "job": "j", "a": "b"}, samples=[(now, 1)])
    with receiving(store) as (url, running):
        for _ in range(2):
            answer = post(url, request, headers)
            assert (answer.status_code, written(answer)) == (204, (2, 1, 2))
        found = running.stats()["redacted"]
    # A label and an exemplar's.
    assert found["credential-attribute"] == 2
    assert (found["assignment"], found["bearer"], found["authorization"]) == (1, 1, 1)
    stored = rows(store, "SELECT * FROM otel_metrics_gauge ORDER BY MetricName")
    labels = [dict(row["Attributes"]) for row in stored]
    mask = "[redacted:credential-attribute]"
    assert labels == [
        {"api_key": mask, "path": "/x?password=[redacted:assignment]&y=1", "plain": "kept"},
        {"a": "b"},
    ]
    assert [dict(pairs) for pairs in stored[0]["Exemplars.FilteredAttributes"]] == [
        {"session_token": mask, "pod": "p"},
        {"q": "Bearer [redacted:bearer]"},
    ]
    assert stored[0]["Exemplars.Value"] == [1.5, 2.5]
    (histogram,) = rows(store, "SELECT * FROM otel_metrics_exponential_histogram")
    assert SECRET not in repr(histogram)
    assert histogram["PositiveBucketCounts"] == [1]
    assert "redacted:authorization" in dict(histogram["Attributes"])["auth"]
    # The hash is that of what was stored, as if it had come so.
    redacted = make()
    redacted.add({"__name__": "m", "job": "j", **labels[0]}, samples=[(now + 1, 1)])
    with receiving(store) as (url, _):
        assert post(url, redacted, headers).status_code == 204
    hashes = rows(store, "SELECT DISTINCT SeriesHash FROM otel_metrics_gauge WHERE MetricName = 'm'")
    assert len(hashes) == 1


@BOTH
def test_a_policy_drops_hashes_and_leaves_names(
    store: Store, tmp_path: Path, make: Make, headers: dict[str, str]
) -> None:
    (tmp_path / "key").write_bytes(b"0123456789abcdef")
    policy = tmp_path / "policy.toml"
    policy.write_text(
        "version = 1\n"
        '[[rule]]\nname = "users"\nkeys = "user"\naction = "hash"\n'
        '[[rule]]\nname = "mails"\nkeys = "mail"\naction = "drop"\n'
        '[[rule]]\nname = "words"\ntext = "forbidden"\n'
    )
    request = make()
    labels = {"__name__": "forbidden_total", "user": "ann", "mail": "a@b.c", "x": "forbidden"}
    now = time.time_ns() // 1_000_000
    request.add(labels, samples=[(now, 1)], exemplars=[({"mail": "a@b.c", "n": "1"}, 1, now)])
    with receiving(store, redaction_policy=policy, redaction_key_file=tmp_path / "key") as (url, _):
        assert post(url, request, headers).status_code == 204
    (row,) = rows(store, "SELECT * FROM otel_metrics_sum")
    attributes = dict(row["Attributes"])
    assert row["MetricName"] == "forbidden_total"
    assert attributes.pop("user").startswith("[hashed:users:")
    assert attributes == {"x": "[redacted:words]"}
    assert [dict(pairs) for pairs in row["Exemplars.FilteredAttributes"]] == [{"n": "1"}]


def test_help_that_holds_a_secret_is_masked(store: Store) -> None:
    now = time.time_ns() // 1_000_000
    text = f"call it with password={SECRET}"
    first = Series1()
    for name, help_text in (("a", text), ("b", "harmless")):
        first.message.metadata.add(type=2, metric_family_name=name, help=help_text)
    second = Series2()
    second.add({"__name__": "c"}, samples=[(now, 1)], metadata=(2, text, ""))
    with receiving(store) as (url, _):
        assert post(url, first, V1).status_code == 204
        assert post(url, second, V2).status_code == 204
    helps = rows(store, "SELECT MetricName, Help FROM prometheus_metadata ORDER BY MetricName")
    assert [row["Help"] for row in helps] == ["[redacted]", "harmless"]
    (row,) = rows(store, "SELECT MetricDescription FROM otel_metrics_gauge")
    assert row["MetricDescription"] == "call it with password=[redacted:assignment]"


@pytest.mark.parametrize("status", [503, 429])
def test_beyond_the_quota_is_said_as_the_settings_say(store: Store, status: int) -> None:
    request = Series1()
    request.add({"__name__": "m", "x": "x" * 3000}, samples=[(time.time_ns() // 1_000_000, 1)])
    with receiving(store, tenant_bytes_per_s=100, quota_status=status) as (url, _):
        assert post(url, request, V1).status_code == 204
        answer = post(url, request, V1)
        assert answer.status_code == status
        assert 1 <= int(answer.headers["retry-after"]) <= 3
        assert answer.text == "the tenant sends more than 100 bytes a second; try again soon\n"


def test_who_may_not_send_is_told_before_the_body_is_read(store: Store) -> None:
    def with_a_key(lookup: Lookup) -> Sender:
        if lookup("authorization") != "Bearer k":
            raise Unauthenticated("a key is needed")
        return Sender("team")

    request = Series1()
    request.add({"__name__": "m"}, samples=[(time.time_ns() // 1_000_000, 1)])
    running = Pipeline(store, IngestSettings(commit_timeout_s=60))
    running.start()
    with serving(create_app(running, with_a_key)) as base:
        answer = post(f"{base}{PATH}", request, V1)
        assert (answer.status_code, answer.text) == (401, "a key is needed\n")
        assert post(f"{base}{PATH}", request, {**V1, "Authorization": "Bearer k"}).status_code == 204
    running.stop()

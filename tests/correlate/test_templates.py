"""Templates: same statement, same text; different statement, different text."""

from __future__ import annotations

import polars as pl
import pytest

from correlate.templates import ERROR, FATAL, INFO, WARN, level, ms, readable, template


def templates(*bodies: str) -> list[str]:
    return pl.DataFrame({"body": list(bodies)}).select(template()).to_series().to_list()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("took 45ms for user 17", "took 1203ms for user 4"),
        ("order 0b23bd3e-876a-4af3-b920-c50a90c90b04 paid", "order f3d4d4ef-693b-4456-8eed-59c0d717dd08 paid"),
        ("[query][Travel info][tripId: Z1234, to: suzhou]", "[query][Travel info][tripId: G7, to: nanjing]"),
        ("state=open user=bob", "state=closed user=alice"),
        ('GET "/a/b" done', 'GET "/c" done'),
        (
            '{"ts":"2026-03-04T09:00:00Z","level":"info","msg":"search ok k=8"}',
            '{"ts":"2026-03-04T09:00:01Z","level":"info","msg":"search ok k=9"}',
        ),
        ("ids 1, 2, 3", "ids 4, 5"),
    ],
)
def test_payload_is_no_part_of_a_template(one: str, other: str) -> None:
    first, second = templates(one, other)
    assert first == second


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("[find][Find contacts]", "[find][No contacts according to id]"),
        ('{"level":"info","msg":"search ok"}', '{"level":"info","msg":"search failed"}'),
        ("connection refused", "connection reset"),
    ],
)
def test_wording_is(one: str, other: str) -> None:
    first, second = templates(one, other)
    assert first != second


@pytest.mark.parametrize(
    ("severity", "body", "expected"),
    [
        (17, "nothing special", ERROR),
        (9, "ERROR in the text only", INFO),
        (0, "2026-03-02 ERROR boom", ERROR),
        (0, '{"level":"error","msg":"boom"}', ERROR),
        (0, "RuntimeError: CUDA error", ERROR),
        (0, "W0302 09:00:01 controller.go:12] slow", WARN),
        (0, "level=warning msg=slow", WARN),
        (0, "CRITICAL disk", FATAL),
        (0, "no errors found", INFO),
        (0, "", INFO),
    ],
)
def test_level(severity: int, body: str, expected: int) -> None:
    frame = pl.DataFrame({"severity": [severity], "body": [body]}, schema={"severity": pl.Int32, "body": pl.String})
    assert frame.select(level()).item() == expected


def test_readable_drops_times_and_ids_in_front() -> None:
    text = "<*> INFO c.Foo#<*> TraceID: <*> SpanID: <*> [find][Find contacts]"
    assert pl.select(readable(pl.lit(text))).item() == "[find][Find contacts]"
    assert pl.select(readable(pl.lit("<*>"))).item() == "<*>"
    assert pl.select(readable(pl.lit("x" * 100), 10)).item() == "x" * 10 + "..."


@pytest.mark.parametrize(("value", "text"), [(0.44, "0.4 ms"), (37.2, "37 ms"), (5210.0, "5.2 s")])
def test_durations(value: float, text: str) -> None:
    assert pl.DataFrame({"v": [value]}).select(ms("v")).item() == text

"""LogQL: what its grammar takes and refuses, and that counts agree with lines, on a real store."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.logs.v1.logs_pb2 import (
    SEVERITY_NUMBER_ERROR,
    SEVERITY_NUMBER_FATAL,
    SEVERITY_NUMBER_INFO,
    LogRecord,
    SeverityNumber,
)

from ingest.envelope import Signal
from query.errors import BadQuery, QueryLimitExceeded
from query.logql import syntax as s
from query.logql.evaluate import Times, Vectors, evaluate
from query.logql.lines import Line, prepared, read, sources
from query.logql.parse import parse
from store import Store, Window
from store.log_lines import Grid, LogLines
from tests.kit.landing import insert
from tests.kit.otlp import SECOND, T0, logs, put
from tests.kit.snapshot import assert_snapshot

MINUTE = 60 * SECOND
TOKENS = r"""{ } ( ) [ ] 5m 1 0.5 "x" `y` a service_name = != =~ !~ == > | |= |~ json logfmt drop keep line_format by
sum without topk rate count_over_time vector , + - * / % ^ bool or and offset "( \ é # 10KB unwrap"""
WIDE = Window(T0 - 60 * MINUTE, T0 + 60 * MINUTE)
JSON = '{"a":{"b":1,"c":{"d":"x"}},"service_name":"y","none":null,"list":[1],"took":"15ms","size":"2KB","ok":true}'


def record(
    at: int, body: str, severity: SeverityNumber.ValueType = SEVERITY_NUMBER_INFO, **attributes: object
) -> LogRecord:
    made = LogRecord(time_unix_nano=T0 + at, severity_number=severity)
    made.body.string_value = body
    put(made.attributes, attributes)
    return made


@pytest.fixture
def filled(store: Store) -> Store:
    resource = {"k8s.pod.name": "p1", "host.name": "h1"}
    records = (
        record(0, JSON, SEVERITY_NUMBER_ERROR, **{"http.status": 500}),
        record(1 * SECOND, 'level=info msg="hello world" took=10ms'),
        record(2 * SECOND, "plain <b> err"),
        record(3 * SECOND, "it's \\ % {x:String} é\tERR", SEVERITY_NUMBER_FATAL),
    )
    insert(store, Signal.LOGS, logs(*records, **resource))
    insert(store, Signal.LOGS, logs(record(0, "of another"), **{"service.name": "other"}), batch=2)
    insert(store, Signal.LOGS, logs(record(0, "of a foreign tenant")), batch=3, tenant="foreign")
    return store


def lines(store: Store, query: str, window: Window = WIDE, limit: int = 100) -> list[Line]:
    parsed = parse(query)
    assert isinstance(parsed, s.LogQuery)
    return read(store, "default", parsed, window, limit, newest_first=False)


def found(store: Store, query: str) -> list[int]:
    """Seconds after T0 of the lines that a query gives."""
    return [(line.at - T0) // SECOND for line in lines(store, query)]


def values(store: Store, query: str, steps: int = 1, step: int = MINUTE) -> dict[tuple[str, ...], list[float]]:
    """Values of each series, by its labels as name=value, at steps from T0 on; NaN-free by nature."""
    got = evaluate(store, "default", parse(query), Times(T0 + 10 * SECOND, step, steps))  # type: ignore[arg-type]
    assert isinstance(got, Vectors)
    names = [tuple(f"{name}={value}" for name, value in sorted(labels.items())) for labels in got.labels]
    return {
        name: [value for number, value in zip(got.values["series"], got.values["value"], strict=True) if number == at]
        for at, name in enumerate(names)
    }


FILTERS = [
    ('{service_name="svc"}', [0, 1, 2, 3]),
    ('{service_name=~"s.*", k8s_pod_name!=""}', [0, 1, 2, 3]),
    ('{service_name=~"s"}', []),
    ('{service_name!~"o.*", service_name=~".+"}', [0, 1, 2, 3]),
    ('{service_name="svc", host_name="h1"}', []),
    ('{service_name="svc"} |= "err"', [2]),
    ('{service_name="svc"} |= "err" or "hello"', [1, 2]),
    ('{service_name="svc"} != "err" or "hello"', [0, 3]),
    ('{service_name="svc"} |~ "(?i)err$"', [2, 3]),
    ('{service_name="svc"} !~ "e"', [3]),
    ('{service_name="svc"} |= `it\'s \\ % {x:String} é`', [3]),
    ('{service_name="svc"} |= "\\tERR"', [3]),
    ('{service_name="svc"} | detected_level="error"', [0]),
    ('{service_name="svc"} | detected_level=~"error|fatal"', [0, 3]),
    ('{service_name="svc"} | host_name="h1" | http_status=500', [0]),
    ('{service_name="svc"} | http_status!="500"', [1, 2, 3]),
    ('{service_name="svc"} | json | __error__=""', [0]),
    ('{service_name="svc"} | json | a_b = 1 and a_c_d = "x" | took > 10ms | size >= 2KB | ok="true"', [0]),
    ('{service_name="svc"} | json | a_b > 1 or took <= 15ms', [0]),
    ('{service_name="svc"} | json | service_name_extracted="y", service_name="svc"', [0]),
    ('{service_name="svc"} | json | (a_b="1" or a_b="2") and none=""', [0]),
    ('{service_name="svc"} | logfmt | msg="hello world"', [1]),
    ('{service_name="svc"} | logfmt | took < 0.011s', [1]),
    ('{service_name="svc"} | logfmt | json | took=~".+"', [0, 1]),
    ('{service_name="svc"} | http_status > 1000000', []),
    ('{service_name="svc"} |= "plain" | line_format "{{.detected_level}} {{ __line__ }}!" |= "info plain"', [2]),
    ('{service_name="svc"} | drop detected_level | detected_level="error"', []),
    ('{service_name="svc"} | drop detected_level="info" | detected_level=~".+"', [0, 3]),
    ('{service_name="svc"} | drop a_b | json | a_b="1"', [0]),
    ('{service_name="svc"} | json | drop a_b | a_b="1"', []),
    ('{service_name="svc"} | json | keep a_b | logfmt | a_b="1" or msg=~".+"', [0, 1]),
    ('{service_name="svc"} | keep host_name | http_status="500"', []),
    ('{service_name="svc"} | trace_id="\' OR 1=1 --"', []),
    ('{service_name="svc"} |= "a\\nb\\\\" or "plain"', [2]),
    ('{service_name="svc"} | x!="\\n\\t\\\\\'{p1:String}"', [0, 1, 2, 3]),
]


def test_filters_give_the_right_lines(filled: Store) -> None:
    assert {query: found(filled, query) for query, _ in FILTERS} == dict(FILTERS)


def test_labels_are_told_by_their_sort(filled: Store) -> None:
    first, *_ = lines(filled, '{service_name="svc"} | json | drop severity_number')
    assert first == Line(
        T0,
        JSON,
        {"service_name": "svc", "k8s_pod_name": "p1"},
        {"detected_level": "error", "host_name": "h1", "http_status": "500"},
        {"a_b": "1", "a_c_d": "x", "service_name_extracted": "y", "took": "15ms", "size": "2KB", "ok": "true"},
    )
    last = lines(filled, '{service_name="svc"} | json | keep __error__, host_name="h2"')[-1]
    assert (last.stream, last.metadata, last.parsed) == ({}, {}, {"__error__": "JSONParserErr"})


def test_counts_and_rates(filled: Store) -> None:
    assert values(
        filled, 'sum by (level, detected_level) (count_over_time({service_name="svc"} | drop __error__[1m]))'
    ) == {
        ("detected_level=error",): [1.0],
        ("detected_level=info",): [2.0],
        ("detected_level=fatal",): [1.0],
    }
    assert values(filled, 'sum(rate({service_name="svc"}[1m])) * 60 + 1') == {(): [5.0]}
    assert values(filled, 'sum by (service_name) (bytes_over_time({service_name="other"}[1m]))') == {
        ("service_name=other",): [10.0]
    }
    assert values(filled, 'topk(1, sum(count_over_time({service_name=~".+"}[1m])) by (service_name))') == {
        ("service_name=svc",): [4.0]
    }
    assert values(filled, 'bottomk(1, sum by (service_name) (count_over_time({service_name=~".+"}[1m])))') == {
        ("service_name=other",): [1.0]
    }
    assert values(filled, 'count by (k8s_pod_name) (count_over_time({service_name="svc"}[1m]))') == {
        ("k8s_pod_name=p1",): [3.0]
    }
    assert values(
        filled, 'max without (detected_level, severity_number, http_status) (rate({service_name="svc"}[1s] offset 7s))'
    ) == {("host_name=h1", "k8s_pod_name=p1", "service_name=svc"): [1.0]}
    assert values(filled, 'avg(bytes_rate({service_name="other"}[10s]))') == {}
    some, every = (
        'sum(count_over_time({service_name="svc"} |= "err"[1m]))',
        'sum(count_over_time({service_name="svc"}[1m]))',
    )
    assert values(filled, f"{some} / {every}") == {(): [0.25]}
    assert values(filled, 'sum by (service_name) (count_over_time({service_name=~".+"}[1m])) > 2') == {
        ("service_name=svc",): [4.0]
    }
    assert values(filled, 'sum by (service_name) (count_over_time({service_name=~".+"}[1m])) > bool 2') == {
        ("service_name=svc",): [1.0],
        ("service_name=other",): [0.0],
    }
    assert values(filled, "vector(1)+vector(1)", steps=2) == {(): [2.0, 2.0]}
    assert evaluate(filled, "default", parse("-7 % 3 + 2 ^ 3 ^ 0"), Times(T0, 1, 1)) == 1.0  # type: ignore[arg-type]


def test_incidents_are_a_stream_of_their_own() -> None:
    def read_from(query: str) -> list[bool]:
        parsed = parse(query)
        assert isinstance(parsed, s.LogQuery)
        return sources(parsed.matchers)

    assert read_from('{service_name="incidents"}') == [True]
    assert read_from('{service_name="incidents", k8s_pod_name="x"}') == []
    assert read_from('{service_name="svc"}') == [False]
    assert read_from('{service_name=~".+"}') == [False, True]
    assert read_from('{severity="critical"}') == [True]
    assert read_from('{k8s_pod_name="x"}') == [False]


REFUSED = [
    ("", "empty"),
    ("{}", "at least one regexp or equality matcher"),
    ('{a=~".*"}', "at least one regexp or equality matcher"),
    ('{a!="b"}', "at least one regexp or equality matcher"),
    ('{a="b"', "ends too early"),
    ('{a="b"} | pattern "<x>"', "pattern is not supported"),
    ('{a="b"} | regexp "x"', "regexp is not supported"),
    ('{a="b"} | label_format x=y', "label_format is not supported"),
    ('{a="b"} | decolorize', "decolorize is not supported"),
    ('{a="b"} |> "<_>x"', "pattern filters"),
    ('{a="b"} |= ip("1.2.3.4")', "ip is not supported"),
    ('sum(rate({a="b"} | unwrap x [5m]))', "unwrap is not supported"),
    ('quantile_over_time(0.9, {a="b"} | unwrap x [5m])', "quantile_over_time is not supported"),
    ('absent_over_time({a="b"}[5m])', "absent_over_time is not supported"),
    ('rate({a="b"}[5m]) and rate({a="b"}[5m])', "and is not supported"),
    ('sum(rate({a="b"}[5m])) / on(x) sum(rate({a="b"}[5m]))', "on is not supported"),
    ('label_replace(rate({a="b"}[5m]), "x", "y", "z", "w")', "label_replace is not supported"),
    ('{a="b"} | line_format "{{ .x | ToUpper }}"', "line_format with"),
    ('{a=~"("}', "invalid regular expression"),
    ('{a="b"} |~ "(a{1000}){1000}"', "invalid regular expression"),
    ('{a="b"} |~ "' + "a" * 1001 + '"', "longer than 1000"),
    ('{a="b"} |= "\\x00"', "no line can hold"),
    ('{a="b"} |= "\\q"', "invalid escape"),
    ('rate({a="b"}[0s])', "longer than 0"),
    ('rate({a="b"}[101y])', "longer than a century"),
    ('topk(0, rate({a="b"}[5m]))', "whole number"),
    ('1 + bool 2', "bool modifier"),
    ("1 > 2", "BOOL modifier"),
    ("sum(1)", "needs series"),
    ('{a="b"} | x =~ 5', "text on its right|parse error"),
    ("1" + "+1" * 300, "parts"),
    ('{a="b"}' * 2000, "longer than"),
    ("(" * 4000 + "1", "too early"),
]  # fmt: skip


@pytest.mark.parametrize(("query", "reason"), REFUSED, ids=[query[:40] for query, _ in REFUSED])
def test_what_is_not_answered_is_refused_by_name(query: str, reason: str) -> None:
    with pytest.raises(BadQuery, match=reason):
        # Some need evaluation, and none needs a store for it.
        evaluate(None, "default", parse(query), Times(T0, 1, 1))  # type: ignore[arg-type]


def test_a_grid_has_a_limit() -> None:
    assert Times.between(0, 10_999, 1).steps == 11_000
    with pytest.raises(QueryLimitExceeded, match="11,000 points"):
        Times.between(0, 11_000, 1)


def test_too_many_series_are_refused(store: Store) -> None:
    insert(store, Signal.LOGS, logs(*(record(n, "x", n=n) for n in range(501))))
    with pytest.raises(QueryLimitExceeded, match="maximum number of series"):
        values(store, 'count_over_time({service_name="svc"}[1m])')
    assert values(store, 'sum(count_over_time({service_name="svc"}[1m]))') == {(): [501.0]}


WORDS = st.sampled_from(TOKENS.split())


@given(st.one_of(st.text(max_size=60), st.lists(WORDS, max_size=25).map(" ".join)))
@settings(max_examples=150)
def test_any_text_is_a_query_or_is_refused(text: str) -> None:
    with suppress(BadQuery):
        assert parse(text) == parse(text)


# What the grammar takes, built from its own parts; each must run on the engine.
NAMES = st.sampled_from(["service_name", "k8s_pod_name", "detected_level", "http_status", "a_b", "trace_id", "x"])
TEXTS = st.text(st.characters(exclude_characters='\x00"\\\n`', exclude_categories=["Cs"]), max_size=8)
STAGES = st.one_of(
    st.builds("{} `{}`".format, st.sampled_from(["|=", "!="]), TEXTS),
    st.builds("{} `{}`".format, st.sampled_from(["|~", "!~"]), st.sampled_from(["e.*r", "(?i)ERR", "^$", "[a-z]+"])),
    st.sampled_from(
        ["| json", "| logfmt", "| line_format `{{.a_b}} {{__line__}}`", "| drop __error__", "| keep x, a_b=`1`"]
    ),
    st.builds("| {} {} `{}`".format, NAMES, st.sampled_from(["=", "!="]), TEXTS),
    st.builds(
        "| {} {} {}".format, NAMES, st.sampled_from([">", "<=", "==", "!="]), st.sampled_from(["1", "5ms", "2KB"])
    ),
)
PIPELINES = st.lists(STAGES, max_size=5).map(" ".join)


@given(PIPELINES, st.sampled_from(["", "service_name", "detected_level, a_b", "x"]))
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_taken_runs_and_counts_what_it_lists(filled: Store, pipeline: str, by: str) -> None:
    """count_over_time is the number of lines that the same pipeline gives, whatever it is grouped by."""
    listed = len(lines(filled, f'{{service_name=~".+"}} {pipeline}', Window(T0, T0 + 10 * SECOND + 1)))
    counted = values(filled, f'sum by ({by}) (count_over_time({{service_name=~".+"}} {pipeline} [1m]))')
    assert sum(itertools.chain.from_iterable(counted.values())) == listed


def test_overlapping_ranges_count_every_line_as_often_as_ranges_hold_it(store: Store) -> None:
    rng = random.Random(7)
    times = sorted(rng.randrange(600 * SECOND) for _ in range(300))
    insert(store, Signal.LOGS, logs(*(record(at, "x" * (at % 7)) for at in times)))
    for step, length in ((MINUTE, MINUTE), (15 * SECOND, 5 * MINUTE), (7 * SECOND, 3 * SECOND), (MINUTE, 1 * SECOND)):
        got = evaluate(
            store,
            "default",
            parse(f'sum(count_over_time({{service_name="svc"}}[{length // SECOND}s]))'),  # type: ignore[arg-type]
            Times(T0 + 10 * SECOND, step, 30),
        )
        assert isinstance(got, Vectors)
        counted = dict(zip(got.values["step"], got.values["value"], strict=True))
        for k in range(30):
            end = 10 * SECOND + k * step
            assert counted.get(k, 0) == sum(end - length < at <= end for at in times), (step, length, k)


def statements() -> Iterator[str]:
    """One statement of each shape."""
    for query in LOGGED:
        parsed = parse(query)
        assert isinstance(parsed, s.LogQuery)
        for made in prepared(parsed, "default", Window(0, 1)):
            yield made.lines(10, newest_first=True)
    for by in (None, (), ("detected_level", "a_b")):
        made = LogLines(Window(0, 1))
        yield made.counts(by, "count", Grid(0, 1, 2, 3))
    yield LogLines(Window(0, 1), incidents=True).sizes()


LOGGED = [
    '{service_name="a", k8s_pod_name=~"b"} |= "c" | json | d > 5ms | drop e="f" | g="h"',
    '{severity="critical"} | logfmt | line_format "{{.i}}j" | keep k',
]


def test_the_text_of_statements() -> None:
    assert_snapshot("log_lines.sql", ";\n\n".join(statements()) + ";\n")

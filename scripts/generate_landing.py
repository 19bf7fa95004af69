"""Write store/migrations/0004_landing.sql from store/proto/otlp.proto.

The landing tables' columns mirror the messages, and the views' JSON expressions repeat once per
nesting level, so both are generated; the .sql file is committed and a test compares the two.

    python -m scripts.generate_landing           write the file
    python -m scripts.generate_landing --check   exit 1 when the file is stale
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from textwrap import indent

from scripts.landing_columns import ENVELOPE, KINDS, LOGS, METRIC, POINT, RESOURCE, SCOPE, SHARED, STAGED, TRACES
from scripts.otlp_expressions import DEEPER_ARRAY, DEEPER_MAP, Message, column_type, pairs_hash, parse

ROOT = Path(__file__).resolve().parent.parent
PROTO = ROOT / "store" / "proto" / "otlp.proto"
TARGET = ROOT / "store" / "migrations" / "0004_landing.sql"

ATTRIBUTE_DEPTH = 2
BODY_DEPTH = 5

# A field of a level's element: r resource, c scope, m metric, s span, record or point.
FIELD = re.compile(r"\b([rcms])\.([a-z_0-9]+)")


def fields(*columns: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Every field the expressions use: alias -> (level, field)."""
    found = (match for group in columns for text in group.values() for match in FIELD.finditer(text))
    return {f"{level}_{field}": (level, field) for level, field in (match.groups() for match in found)}


def aliased(columns: dict[str, str]) -> dict[str, str]:
    """The same expressions over aliases."""
    return {name: FIELD.sub(r"\1_\2", expression) for name, expression in columns.items()}


Levels = dict[str, tuple[str, dict[str, str]]]


def flatten(source: str, base: str, given: list[str], levels: Levels, drop: set[str]) -> str:
    """A query with one row per innermost element of `source`.

    `levels`, outermost first: where the level's elements lie below `base`, and the columns computed there, once
    per element and not once per row. Only fields in use are joined and passed on: naming a whole message costs
    milliseconds of analysis each time, because its type is thousands of characters long.
    """
    used = fields(*(columns for _, columns in levels.values()))
    inputs = [
        f"{'.'.join(filter(None, (base, levels[of][0], field)))} AS {alias}" for alias, (of, field) in used.items()
    ]
    query = f"SELECT {', '.join(given + inputs)}\nFROM {source}"
    handed = [item.rpartition(" AS ")[2] for item in given]
    order = [*levels]
    for depth, level in enumerate(order):
        joined = [alias for alias, (of, _) in used.items() if of in order[depth:]]
        below = [alias for alias, (of, _) in used.items() if of in order[depth + 1 :]]
        columns = aliased(levels[level][1])
        last = depth == len(order) - 1
        kept = [name for name in handed if not (last and name in drop)]
        listed = ",\n".join(f"    {item}" for item in [*kept, *(f"{e} AS {n}" for n, e in columns.items()), *below])
        query = f"SELECT\n{listed}\nFROM (\n{indent(query, '  ')}\n)\nARRAY JOIN {', '.join(joined)}"
        handed += columns
    return query


def view(name: str, table: str, query: str) -> str:
    """A materialized view that writes `query` to `table`."""
    return f"CREATE MATERIALIZED VIEW IF NOT EXISTS {name}${{on_cluster}} TO {table} AS\n{query};\n"


def landing(signal: str, messages: dict[str, Message]) -> str:
    """The table that one signal's envelopes are inserted into."""
    request = column_type(messages, f"{signal.capitalize()}Request")
    return (
        f"CREATE TABLE IF NOT EXISTS landing_{signal}${{on_cluster}}\n"
        f"(tenant LowCardinality(String), batch UInt64, received UInt64, request {request})\nENGINE = Null;\n"
    )


def stage_table(name: str, types: dict[str, str]) -> str:
    """A table between two views. It makes what the second view sees small, which halves the cost of an insert."""
    columns = {"Tenant": "LowCardinality(String)", "Batch": "UInt64", "Received": "UInt64", **types}
    listed = ",\n".join(f"    {column} {kind}" for column, kind in columns.items())
    return f"CREATE TABLE IF NOT EXISTS {name}${{on_cluster}}\n(\n{listed}\n)\nENGINE = Null;\n"


def array_type(messages: dict[str, Message], message: str, field: str) -> str:
    """Type of a message's repeated field."""
    kind = next(f.kind for f in messages[message].fields if f.name == field)
    return f"Array({column_type(messages, kind)})"


def record_views(messages: dict[str, Message], signal: str, of: str, items: str, columns: dict[str, str]) -> list[str]:
    """Spans or log records, by way of their scopes, into their table."""
    stage, scope = f"landing_{items}", f"resource_{of}.scope_{of}"
    shared = {name: kind for name, kind in STAGED.items() if name in RESOURCE or name in SCOPE}
    levels = {"r": (f"resource_{of}", RESOURCE), "c": (scope, {**SCOPE, "Items": f"c.{items}"})}
    scopes = flatten(f"landing_{signal}", "request", ENVELOPE, levels, set())
    given = ["Tenant", "Batch", "Received", *shared]
    records = flatten(stage, "", given, {"s": ("Items", columns)}, {"Received"})
    return [
        stage_table(stage, {**shared, "Items": array_type(messages, f"Scope{of.capitalize()}", items)}),
        view(f"{stage}_mv", stage, scopes),
        view(f"otel_{signal}_mv", f"otel_{signal}", records),
    ]


def metric_stage(messages: dict[str, Message]) -> list[str]:
    """Metrics of all kinds with what their points share, on the way from landing_metrics to five tables."""
    hashed = {"ResourceHash": f"cityHash64(ServiceName, ScopeName, {pairs_hash('ResourceAttributes')})"}
    points = {of_kind(kind): f"m.{kind}.data_points" for kind in KINDS}
    scopes = "resource_metrics.scope_metrics"
    levels = {
        "r": ("resource_metrics", RESOURCE),
        "c": (scopes, {**SCOPE, **hashed}),
        "m": (f"{scopes}.metrics", {**METRIC, **points}),
    }
    arrays = {of_kind(kind): array_type(messages, of_kind(kind), "data_points") for kind in KINDS}
    query = flatten("landing_metrics", "request", ENVELOPE, levels, set())
    return [stage_table("landing_points", {**STAGED, **arrays}), view("landing_points_mv", "landing_points", query)]


def of_kind(kind: str) -> str:
    """The message, and landing_points' column, of a metric kind."""
    return kind.title().replace("_", "")


def metric_view(kind: str) -> str:
    """Data points of one kind into their table."""
    series = {"SeriesHash": f"cityHash64(MetricName, ResourceHash, {pairs_hash('Attributes')})"}
    foreign = {"AggregationTemporality", "IsMonotonic"} - set(SHARED.get(kind, ()))
    given = ["Tenant", "Batch", "Received", *(name for name in STAGED if name not in foreign)]
    columns = {**POINT, **KINDS[kind], **series}
    query = flatten("landing_points", "", given, {"s": (of_kind(kind), columns)}, {"Received", "ResourceHash"})
    return view(f"otel_metrics_{kind}_mv", f"otel_metrics_{kind}", query)


HEADER = """-- Generated by scripts/generate_landing.py from store/proto/otlp.proto; do not edit.
--
-- One insert of length-delimited envelopes into a landing table flattens into the otel_* tables. The landing
-- tables keep nothing themselves. Attribute values nest to depth {attributes}, log bodies to depth {body}; deeper
-- arrays and maps become {{"{array}": base64 of the ArrayValue}} and {{"{map}": base64 of the KeyValueList}}.
"""


def migration() -> str:
    """The text of 0004_landing.sql."""
    messages = parse(PROTO.read_text(encoding="utf-8"))
    parts = [HEADER.format(attributes=ATTRIBUTE_DEPTH, body=BODY_DEPTH, array=DEEPER_ARRAY, map=DEEPER_MAP)]
    parts.extend(landing(signal, messages) for signal in ("traces", "logs", "metrics"))
    parts.extend(record_views(messages, "traces", "spans", "spans", TRACES))
    parts.extend(record_views(messages, "logs", "logs", "log_records", LOGS))
    parts.extend(metric_stage(messages))
    parts.extend(metric_view(kind) for kind in KINDS)
    return "\n".join(parts)


def main() -> int:
    """Write or check the file."""
    wanted = migration()
    if "--check" in sys.argv[1:]:
        return int(not TARGET.exists() or TARGET.read_text(encoding="utf-8") != wanted)
    TARGET.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

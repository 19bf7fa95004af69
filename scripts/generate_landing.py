"""Write store/migrations/0014_landing.sql from store/proto/otlp.proto.

The landing tables' columns mirror the messages, and the views' JSON expressions repeat once per
nesting level, so both are generated; the .sql file is committed and a test compares the two.

    python -m scripts.generate_landing           write the file
    python -m scripts.generate_landing --check   exit 1 when the file is stale
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent

from scripts import rejection_expressions as rejections
from scripts.generate_admission import arriving_tables
from scripts.landing_columns import (
    ENVELOPE,
    KINDS,
    METRIC,
    ONLY,
    SERIES_HASH,
    STAGED,
    SUSPECTED,
    Columns,
    log_columns,
    point_columns,
    resource_columns,
    scope_columns,
    span_columns,
)
from scripts.otlp_expressions import DEEPER_ARRAY, DEEPER_MAP, Message, Values, column_type, not_utf8, parse
from store.proto import schema

TARGET = Path(__file__).resolve().parent.parent / "store" / "migrations" / "0014_landing.sql"

ATTRIBUTE_DEPTH = 2
BODY_DEPTH = 5

# A field of a level's element: r resource, c scope, m metric, s span, record or point.
FIELD = re.compile(r"\b([rcms])\.([a-z_0-9]+)")
CREATED = re.compile(r"CREATE (TABLE|MATERIALIZED VIEW) IF NOT EXISTS (\w+)")
SIGNALS = ("traces", "logs", "metrics")
REASONS = "Reasons"
ACCEPTED, REFUSED = rejections.STORED, rejections.REFUSED
LIMITS = rejections.LIMITS
LIMIT_TYPES = {name: kind for name, (_, kind) in LIMITS.items()}
# What the views of migration 0016 make dead letters of.
REFUSED_ITEMS = "refused_items"
REFUSED_COLUMNS = {
    **{name: kind for name, (_, kind) in ENVELOPE.items()},
    "Suspect": "Bool",
    "Signal": "LowCardinality(String)",
    "ServiceName": "LowCardinality(String)",
    REASONS: "Array(UInt8)",
    "Names": "Array(String)",
    "Times": "Array(UInt64)",
}


def fields(*columns: Columns) -> dict[str, tuple[str, str]]:
    """Every field the expressions use: alias -> (level, field)."""
    found = (match for group in columns for text in group.values() for match in FIELD.finditer(text))
    return {f"{level}_{field}": (level, field) for level, field in (match.groups() for match in found)}


def aliased(columns: Columns) -> Columns:
    """The same expressions over aliases."""
    return {name: FIELD.sub(r"\1_\2", expression) for name, expression in columns.items()}


Levels = dict[str, tuple[str, Columns]]


def flatten(source: str, base: str, given: list[str], levels: Levels, drop: set[str], accepted: str = "") -> str:
    """A query with one row per innermost element of `source`, a table with its conditions.

    `accepted`, when given, is a condition on Reasons, an array among `given` that is in step with the elements.

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
        beside, where = ([REASONS], f"\nWHERE {accepted}") if last and accepted else ([], "")
        query = f"SELECT\n{listed}\nFROM (\n{indent(query, '  ')}\n)\nARRAY JOIN {', '.join([*joined, *beside])}{where}"
        handed += columns
    return query


def stage(name: str, types: Columns) -> str:
    """A table between two views. It makes what the second view sees small, and keeps it from work without rows."""
    listed = ",\n".join(f"    {column} {kind}" for column, kind in types.items())
    return f"CREATE TABLE IF NOT EXISTS {name}${{on_cluster}}\n(\n{listed}\n)\nENGINE = Null;\n"


def of_kind(kind: str) -> str:
    """The message, and the stage's column, of a metric kind."""
    return kind.title().replace("_", "")


@dataclass(frozen=True)
class Landing:
    """The landing tables of all signals and their views, for flat or for nested values."""

    values: Values
    messages: dict[str, Message]

    @classmethod
    def of(cls, values: Values) -> Landing:
        """Landing tables for the schema with such values."""
        return cls(values, parse(schema(nested=values.nested)))

    def named(self, name: str) -> str:
        """Name of a table or view of this set."""
        return f"{name}_nested" if self.values.nested else name

    def statements(self) -> list[str]:
        """Everything, in the order of creation."""
        return [
            *(self.table(signal) for signal in SIGNALS),
            *(part for signal in SIGNALS for part in self.check(signal)),
            *self.records("traces", "spans", "spans", span_columns(self.values)),
            *self.records("logs", "logs", "log_records", log_columns(self.values)),
            *self.metrics(),
            *(part for kind in KINDS for part in self.points(kind)),
        ]

    def table(self, signal: str) -> str:
        """The table that one signal's envelopes are inserted into."""
        request = column_type(self.messages, f"{signal.capitalize()}Request")
        columns = {field: kind for field, kind in {**ENVELOPE, **SUSPECTED, **LIMITS}.values()}
        return stage(self.named(f"landing_{signal}"), {**columns, "request": request})

    @property
    def envelope(self) -> Columns:
        """What accompanies a request's rows on their way: column -> type."""
        return {name: kind for name, (_, kind) in {**ENVELOPE, **(SUSPECTED if self.values.nested else {})}.items()}

    def opened(self) -> list[str]:
        """The same, and the limits, out of an envelope."""
        named = {**ENVELOPE, **(SUSPECTED if self.values.nested else {}), **LIMITS}
        return [f"{field} AS {name}" for name, (field, _) in named.items()]

    def shared(self, level: str, columns: Columns, above: str = "") -> Columns:
        """Columns of a resource or a scope, and the reason to refuse all that is below it."""
        pairs = f"{level}.attributes"
        name = "ScopeReason" if above else "ResourceReason"
        return {**columns, name: rejections.shared(pairs, nested=self.values.nested, above=above)}

    def target(self, table: str) -> str:
        """Where rows of a table go: to it, or to where those in which redaction may find something are told apart."""
        return table.replace("otel_", "arriving_", 1) if self.values.nested else table

    def refused(self, name: str, signal: str, items: str, named: str) -> str:
        """The view that passes on which items of a stage are refused, and what they are called."""
        suspect = "Suspect" if self.values.nested else "false AS Suspect"
        query = (
            f"SELECT Tenant, Batch, Request, Received, {suspect}, '{signal}' AS Signal, ServiceName, Reasons, "
            f"{named} AS Names, {items}.{'start_' if signal == 'traces' else ''}time_unix_nano AS Times\n"
            f"FROM {self.named(name)}\nWHERE {REFUSED}"
        )
        return self.view(f"{name}_refused", query, REFUSED_ITEMS)

    def checked(self, source: str, signal: str) -> str:
        """A table of one signal's envelopes, as the FROM of a query that throws where a text is not UTF-8."""
        condition = not_utf8(self.messages, f"{signal.capitalize()}Request", "request")
        return f"{self.named(source)}\nWHERE NOT {condition}"

    def check(self, signal: str) -> list[str]:
        """A table like the signal's, and a view on it that does nothing but throw where the other's would."""
        table = self.named(f"check_{signal}")
        like = (
            f"CREATE TABLE IF NOT EXISTS {table}${{on_cluster}} AS {self.named(f'landing_{signal}')} ENGINE = Null;\n"
        )
        query = f"SELECT tenant AS Tenant\nFROM {self.checked(f'check_{signal}', signal)}"
        return [like, self.view(f"check_{signal}", query, CHECKED)]

    def view(self, target: str, query: str, table: str = "") -> str:
        """A materialized view that writes `query` to `table`, by default named like the view."""
        name = self.named(f"{target}_mv")
        into = table or self.named(target)
        return f"CREATE MATERIALIZED VIEW IF NOT EXISTS {name}${{on_cluster}} TO {into} AS\n{query};\n"

    def array(self, message: str, field: str) -> str:
        """Type of a message's repeated field."""
        kind = next(f.kind for f in self.messages[message].fields if f.name == field)
        return f"Array({column_type(self.messages, kind)})"

    def records(self, signal: str, of: str, items: str, columns: Columns) -> list[str]:
        """Spans or log records, by way of their scopes, into their table."""
        resource, scope = resource_columns(self.values), scope_columns(self.values)
        shared = {name: STAGED[name] for name in (*resource, *scope)}
        below = f"resource_{of}.scope_{of}"
        reasons = {"spans": rejections.spans, "log_records": rejections.logs}[items]
        found = reasons("Items", "ScopeReason", nested=self.values.nested)
        levels = {
            "r": (f"resource_{of}", self.shared("r.resource", resource)),
            "c": (below, {**self.shared("c.scope", scope, "ResourceReason"), "Items": f"c.{items}"}),
        }
        source = self.checked(f"landing_{signal}", signal)
        scopes = flatten(source, "request", self.opened(), levels, {"ResourceReason"})
        judged = f"SELECT * EXCEPT ({', '.join(['ScopeReason', *LIMITS])}), {found} AS {REASONS}"
        between = f"landing_{items}"
        given = [*self.envelope, *shared, REASONS]
        gone = {"Received", "Request", REASONS}
        records = flatten(self.named(between), "", given, {"s": ("Items", columns)}, gone, ACCEPTED)
        kinds = {**self.envelope, **shared, "Items": self.array(f"Scope{of.capitalize()}", items), REASONS: "Array(UInt8)"}
        named = "Items.name" if items == "spans" else "Items.event_name"
        return [
            stage(self.named(between), kinds),
            self.view(between, f"{judged}\nFROM (\n{indent(scopes, '  ')}\n)"),
            self.refused(between, signal, "Items", named),
            self.view(f"otel_{signal}", records, self.target(f"otel_{signal}")),
        ]

    def metrics(self) -> list[str]:
        """Metrics of all kinds with what their points share."""
        scopes = "resource_metrics.scope_metrics"
        levels = {
            "r": ("resource_metrics", self.shared("r.resource", resource_columns(self.values))),
            "c": (scopes, self.shared("c.scope", scope_columns(self.values), "ResourceReason")),
            "m": (f"{scopes}.metrics", {**METRIC, **{of_kind(kind): f"m.{kind}.data_points" for kind in KINDS}}),
        }
        query = flatten(self.checked("landing_metrics", "metrics"), "request", self.opened(), levels, {"ResourceReason"})
        arrays = {of_kind(kind): self.array(of_kind(kind), "data_points") for kind in KINDS}
        kinds = {**self.envelope, **LIMIT_TYPES, "ScopeReason": "UInt8", **STAGED, **arrays}
        return [stage(self.named("landing_points"), kinds), self.view("landing_points", query)]

    def points(self, kind: str) -> list[str]:
        """Data points of one kind into their table.

        A view's query is planned when rows come for it, and planning is most of what a small insert costs: so a
        cheap view hands on to the dear one, and only when there are points of the kind.
        """
        between, points = f"landing_{kind}", of_kind(kind)
        shared = {name: kind_ for name, kind_ in STAGED.items() if kind in ONLY.get(name, (kind,))}
        given = [*self.envelope, *shared]
        found = rejections.points(points, "ScopeReason", nested=self.values.nested, exemplars=kind != "summary")
        passed = ", ".join([*given, points, f"{found} AS {REASONS}"])
        some = f"SELECT {passed}\nFROM {self.named('landing_points')}\nWHERE notEmpty({points})"
        columns = {**point_columns(self.values), **KINDS[kind]}
        gone = {"Received", "Request", REASONS}
        query = flatten(self.named(between), "", [*given, REASONS], {"s": (points, columns)}, gone, ACCEPTED)
        hashed = f"SELECT * EXCEPT ResourceHash, {SERIES_HASH} AS SeriesHash\nFROM (\n{indent(query, '  ')}\n)"
        kinds = {**self.envelope, **shared, points: self.array(points, "data_points"), REASONS: "Array(UInt8)"}
        return [
            stage(self.named(between), kinds),
            self.view(between, some),
            self.refused(between, "metrics", points, f"arrayMap(r -> MetricName, {REASONS})"),
            self.view(f"otel_metrics_{kind}", hashed, self.target(f"otel_metrics_{kind}")),
        ]


HEADER = """-- supersedes: 0004_landing 0006_check
--
-- Generated by scripts/generate_landing.py from store/proto/otlp.proto; do not edit.
--
-- One insert of length-delimited envelopes into a landing table flattens into the otel_* tables. The landing
-- tables keep nothing themselves. Those named *_nested take requests that have arrays or maps in attributes or
-- log bodies; the others plan and decode in half the time. Nested attribute values are JSON to depth {attributes}, log
-- bodies to depth {body}; what is deeper becomes {{"{array}": base64 of the ArrayValue}} or
-- {{"{map}": base64 of the KeyValueList}}. Text that is not UTF-8 fails the insert (engine code 395).
--
-- The check_* tables take the same bytes, fail in the same cases and feed nothing: when a batch is refused they tell
-- the offender from its neighbours without writing any of them.
"""
CHECKED = "check_passed"


def migration() -> str:
    """The text of 0014_landing.sql."""
    header = HEADER.format(attributes=ATTRIBUTE_DEPTH, body=BODY_DEPTH, array=DEEPER_ARRAY, map=DEEPER_MAP)
    parts = [f"CREATE TABLE IF NOT EXISTS {CHECKED}${{on_cluster}} (Tenant LowCardinality(String)) ENGINE = Null;\n"]
    parts += [stage(REFUSED_ITEMS, REFUSED_COLUMNS), *arriving_tables()]
    for values in (Values(nested=False), Values(nested=True)):
        parts.extend(Landing.of(values).statements())
    created = [CREATED.match(part).groups() for part in parts]  # type: ignore[union-attr]
    # What the superseded migrations made has the same names. Views go first, so that none lacks its tables.
    drops = [f"DROP TABLE IF EXISTS {name}${{on_cluster}} SYNC;\n" for _, name in sorted(created, key=lambda c: c[0])]
    return "\n".join([header, *drops, *parts])


def main() -> int:
    """Write or check the file."""
    wanted = migration()
    if "--check" in sys.argv[1:]:
        return int(not TARGET.exists() or TARGET.read_text(encoding="utf-8") != wanted)
    TARGET.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

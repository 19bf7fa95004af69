"""Write store/migrations/0014_landing.sql from store/proto/otlp.proto.

The landing tables' columns mirror the messages, and the views' JSON expressions repeat once per
nesting level, so both are generated; the .sql file is committed and a test compares the two.

    python -m scripts.generate_landing           write the file
    python -m scripts.generate_landing --check   exit 1 when the file is stale
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import indent

from scripts import rejection_expressions as rejections
from scripts.generate_admission import arriving, arriving_tables
from scripts.landing_columns import (
    CAREFUL,
    ENVELOPE,
    KINDS,
    METRIC,
    ONLY,
    SERIES_HASH,
    STAGED,
    Columns,
    log_columns,
    point_columns,
    resource_columns,
    scope_columns,
    span_columns,
)
from scripts.otlp_expressions import DEEPER_ARRAY, DEEPER_MAP, Message, Values, column_type, not_utf8, parse, strings
from store.errors import ITEMS_REFUSED
from store.proto import schema

TARGET = Path(__file__).resolve().parent.parent / "store" / "migrations" / "0014_landing.sql"

ATTRIBUTE_DEPTH = 2
BODY_DEPTH = 5

# A field of a level's element: r resource, c scope, m metric, s span, record or point.
FIELD = re.compile(r"\b([rcms])\.([a-z_0-9]+)")
CREATED = re.compile(r"CREATE (TABLE|MATERIALIZED VIEW) IF NOT EXISTS (\w+)")
SIGNALS = ("traces", "logs", "metrics")
REFUSED = "items must be refused"
CHECKED = "check_passed"
LIMIT_TYPES = {name: kind for name, (_, kind) in rejections.LIMITS.items()}


@dataclass(frozen=True)
class Level:
    """Where the elements of a level lie, the columns computed there, and the texts that must be UTF-8.

    `refused`, when given, is the number of the reason to refuse an element; it throws where that is not 0.
    """

    below: str
    columns: Columns
    texts: list[tuple[str, int]]
    refused: str = ""

    @property
    def condition(self) -> str:
        """What throws where a text is not UTF-8, or where something is to be refused."""
        utf8 = f"NOT {not_utf8(self.texts)}"
        return (
            f"{utf8} AND NOT throwIf({self.refused} != 0, '{REFUSED}', toInt32({ITEMS_REFUSED}))"
            if self.refused
            else utf8
        )

    def fields(self) -> dict[str, tuple[str, str]]:
        """Every field the expressions use: alias -> (level, field)."""
        found = (match for text in (*self.columns.values(), self.condition) for match in FIELD.finditer(text))
        return {f"{level}_{field}": (level, field) for level, field in (match.groups() for match in found)}


def aliased(expression: str) -> str:
    """The same expression over aliases."""
    return FIELD.sub(r"\1_\2", expression)


def flatten(source: str, base: str, given: list[str], levels: dict[str, Level], drop: set[str]) -> str:
    """A query with one row per innermost element of `source`.

    The columns of `levels`, outermost first, are computed once per element and not once per row. Only fields in
    use are joined and passed on: naming a whole message costs milliseconds of analysis each time, because its type
    is thousands of characters long. So does naming a part of it, which is why texts are checked under their aliases.
    """
    used: dict[str, tuple[str, str]] = {}
    for level in levels.values():
        used.update(level.fields())
    inputs = [
        f"{'.'.join(filter(None, (base, levels[of].below, field)))} AS {alias}" for alias, (of, field) in used.items()
    ]
    query = f"SELECT {', '.join(given + inputs)}\nFROM {source}"
    handed = [item.rpartition(" AS ")[2] for item in given]
    order = [*levels]
    for depth, name in enumerate(order):
        level = levels[name]
        joined = [alias for alias, (of, _) in used.items() if of in order[depth:]]
        below = [alias for alias, (of, _) in used.items() if of in order[depth + 1 :]]
        last = depth == len(order) - 1
        kept = [column for column in handed if not (last and column in drop)]
        columns = [f"{aliased(expression)} AS {column}" for column, expression in level.columns.items()]
        listed = ",\n".join(f"    {item}" for item in [*kept, *columns, *below])
        query = f"SELECT\n{listed}\nFROM (\n{indent(query, '  ')}\n)\nARRAY JOIN {', '.join(joined)}"
        query += f"\nWHERE {aliased(level.condition)}"
        handed += level.columns
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
            *self.records("traces", "spans", "spans", "Span", span_columns(self.values)),
            *self.records("logs", "logs", "log_records", "LogRecord", log_columns(self.values)),
            *self.metrics(),
            *(part for kind in KINDS for part in self.points(kind)),
        ]

    def table(self, signal: str) -> str:
        """The table that one signal's envelopes are inserted into."""
        request = column_type(self.messages, f"{signal.capitalize()}Request")
        columns = dict({**ENVELOPE, **CAREFUL, **rejections.LIMITS}.values())
        return stage(self.named(f"landing_{signal}"), {**columns, "request": request})

    @property
    def envelope(self) -> dict[str, tuple[str, str]]:
        """What accompanies a request's rows to the last view: column -> the envelope's field and type."""
        return {**ENVELOPE, **(CAREFUL if self.values.nested else {}), **rejections.LIMITS}

    def opened(self) -> list[str]:
        """The same, out of an envelope."""
        return [f"{field} AS {name}" for name, (field, _) in self.envelope.items()]

    def passed(self) -> Columns:
        """The same, and what is to be refused whole, with types."""
        above = {"ScopeReason": "UInt8"} if self.values.nested else {}
        return {**{name: kind for name, (_, kind) in self.envelope.items()}, **above}

    def judged(self, level: Level, branches: str, reason: str, above: str) -> Level:
        """The level, with what is to be refused there: a column where that can be handled, else an error."""
        if self.values.nested:
            return replace(level, columns={**level.columns, reason: rejections.refused(branches, above)})
        return replace(level, refused=rejections.refused(branches))

    def target(self, table: str) -> str:
        """Where rows of a table go: to it, or to where those are told apart that are refused or redacted."""
        return arriving(table) if self.values.nested else table

    def check(self, signal: str) -> list[str]:
        """A table like the signal's, and a view on it that does nothing but throw where the other's would."""
        table, like = self.named(f"check_{signal}"), self.named(f"landing_{signal}")
        condition = not_utf8(strings(self.messages, f"{signal.capitalize()}Request", "request"))
        query = f"SELECT tenant AS Tenant\nFROM {table}\nWHERE NOT {condition}"
        return [
            f"CREATE TABLE IF NOT EXISTS {table}${{on_cluster}} AS {like} ENGINE = Null;\n",
            self.view(f"check_{signal}", query, CHECKED),
        ]

    def texts(self, message: str, level: str, without: str = "") -> list[tuple[str, int]]:
        """The texts of a message and below, but not those of one field's messages, which are a level of their own."""
        found = strings(self.messages, message, level)
        return [(path, depth) for path, depth in found if not without or not path.startswith(f"{level}.{without}.")]

    def outer(self, of: str, items: str) -> dict[str, Level]:
        """The levels of resources and scopes."""
        plural, resources, scopes = of.capitalize(), f"resource_{of}", f"scope_{of}"
        texts = {"r": self.texts(f"Resource{plural}", "r", scopes), "c": self.texts(f"Scope{plural}", "c", items)}
        resource = Level(resources, resource_columns(self.values), texts["r"])
        scope = Level(f"{resources}.{scopes}", scope_columns(self.values), texts["c"])
        nested = self.values.nested
        return {
            "r": self.judged(resource, rejections.caps("r.resource.attributes", nested=nested), "ResourceReason", ""),
            "c": self.judged(
                scope, rejections.caps("c.scope.attributes", nested=nested), "ScopeReason", "ResourceReason"
            ),
        }

    def view(self, target: str, query: str, table: str = "") -> str:
        """A materialized view that writes `query` to `table`, by default named like the view."""
        name = self.named(f"{target}_mv")
        into = table or self.named(target)
        return f"CREATE MATERIALIZED VIEW IF NOT EXISTS {name}${{on_cluster}} TO {into} AS\n{query};\n"

    def array(self, message: str, field: str) -> str:
        """Type of a message's repeated field."""
        kind = next(f.kind for f in self.messages[message].fields if f.name == field)
        return f"Array({column_type(self.messages, kind)})"

    def records(self, signal: str, of: str, items: str, item: str, columns: Columns) -> list[str]:
        """Spans or log records, by way of their scopes, into their table."""
        levels = self.outer(of, items)
        shared = {name: STAGED[name] for level in levels.values() for name in level.columns if name in STAGED}
        levels["c"].columns["Items"] = f"c.{items}"
        scopes = flatten(self.named(f"landing_{signal}"), "request", self.opened(), levels, {"ResourceReason"})
        between = f"landing_{items}"
        branches = {"spans": rejections.span, "log_records": rejections.record}[items](nested=self.values.nested)
        innermost = self.judged(Level("Items", columns, self.texts(item, "s")), branches, "Reason", "ScopeReason")
        records = flatten(self.named(between), "", [*self.passed(), *shared], {"s": innermost}, self.spent)
        kinds = {**self.passed(), **shared, "Items": self.array(f"Scope{of.capitalize()}", items)}
        return [
            stage(self.named(between), kinds),
            self.view(between, scopes),
            self.view(f"otel_{signal}", records, self.target(f"otel_{signal}")),
        ]

    @property
    def spent(self) -> set[str]:
        """What the last views need and do not hand on."""
        return {*LIMIT_TYPES, "ScopeReason"} | (set() if self.values.nested else {"Received", "Request"})

    def metrics(self) -> list[str]:
        """Metrics of all kinds with what their points share."""
        levels = self.outer("metrics", "metrics")
        points = {of_kind(kind): f"m.{kind}.data_points" for kind in KINDS}
        # Texts of points are checked with the points.
        texts = [(path, depth) for path, depth in self.texts("Metric", "m") if ".data_points." not in path]
        levels["m"] = Level("resource_metrics.scope_metrics.metrics", {**METRIC, **points}, texts)
        query = flatten(self.named("landing_metrics"), "request", self.opened(), levels, {"ResourceReason"})
        arrays = {of_kind(kind): self.array(of_kind(kind), "data_points") for kind in KINDS}
        kinds = {**self.passed(), **STAGED, **arrays}
        return [stage(self.named("landing_points"), kinds), self.view("landing_points", query)]

    def points(self, kind: str) -> list[str]:
        """Data points of one kind into their table.

        A view's query is planned when rows come for it, and planning is most of what a small insert costs: so a
        cheap view hands on to the dear one, and only when there are points of the kind.
        """
        between, points = f"landing_{kind}", of_kind(kind)
        shared = {name: kind_ for name, kind_ in STAGED.items() if kind in ONLY.get(name, (kind,))}
        given = [*self.passed(), *shared]
        some = f"SELECT {', '.join([*given, points])}\nFROM {self.named('landing_points')}\nWHERE notEmpty({points})"
        columns = {**point_columns(self.values), **KINDS[kind]}
        message = next(f.kind for f in self.messages[points].fields if f.name == "data_points")
        branches = rejections.point(nested=self.values.nested, exemplars=kind != "summary")
        innermost = self.judged(Level(points, columns, self.texts(message, "s")), branches, "Reason", "ScopeReason")
        query = flatten(self.named(between), "", given, {"s": innermost}, self.spent)
        hashed = f"SELECT * EXCEPT ResourceHash, {SERIES_HASH} AS SeriesHash\nFROM (\n{indent(query, '  ')}\n)"
        if self.values.nested:
            capped = f"toUInt8({rejections.TOO_MANY_SERIES}) AS Reason"
            hashed = f"SELECT * REPLACE ({capped})\nFROM (\n{indent(hashed, '  ')}\n)"
        return [
            stage(self.named(between), {**self.passed(), **shared, points: self.array(points, "data_points")}),
            self.view(between, some),
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
-- An item that must be refused (its reason, by the limits in its envelope, is not 0) fails an insert into the tables
-- for flat values (engine code {refused}): the batch is then put into the *_nested ones, where refused items become
-- dead letters. So telemetry that is as it should be pays for nothing but the look.
--
-- The check_* tables take the same bytes, fail in the same cases and feed nothing: when a batch is refused they tell
-- the offender from its neighbours without writing any of them.
"""


def migration() -> str:
    """The text of 0014_landing.sql."""
    header = HEADER.format(
        attributes=ATTRIBUTE_DEPTH, body=BODY_DEPTH, array=DEEPER_ARRAY, map=DEEPER_MAP, refused=ITEMS_REFUSED
    )
    parts = [f"CREATE TABLE IF NOT EXISTS {CHECKED}${{on_cluster}} (Tenant LowCardinality(String)) ENGINE = Null;\n"]
    parts += arriving_tables()
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

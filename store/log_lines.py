"""Queries over log lines, composed from fixed pieces; every text of the asker travels as a parameter.

`LogLines` starts from the lines of a window (store/sql/log_lines.sql, log_lines_of_incidents.sql), gets one step
after another in the order of a pipeline, and ends as one statement. Labels are of three sorts: those of the stream,
metadata of the record, and what a step took from the line; a name is looked up in the cheapest place that can have it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NewType

from store import sql
from store.scan import Window
from store.settings import DEFAULT_TENANT

Sql = NewType("Sql", str)
"""A piece of a statement made here; never text from outside."""

# Label -> resource attribute; log_lines.sql names the same ones.
STREAM_LABELS = {
    attribute.replace(".", "_"): attribute
    for attribute in (
        "service.name", "service.namespace", "service.instance.id", "deployment.environment",
        "deployment.environment.name", "cloud.region", "cloud.availability_zone", "k8s.cluster.name",
        "k8s.namespace.name", "k8s.pod.name", "k8s.container.name", "container.name", "k8s.replicaset.name",
        "k8s.deployment.name", "k8s.statefulset.name", "k8s.daemonset.name", "k8s.cronjob.name", "k8s.job.name",
    )
}  # fmt: skip
INCIDENT_LABELS = {
    name: Sql(f"incident_{name.removeprefix('incident_')}") for name in ("incident_id", "severity", "state")
}
INCIDENTS = "incidents"
_SERVICE = Sql("if(service = '', 'unknown_service', toString(service))")
# Fields of a record that are metadata by their own name.
_FIELDS = frozenset(
    {"severity_text", "severity_number", "trace_id", "span_id", "scope_name", "scope_version", "event_name"}
)
# A label's name from an attribute's; log_lines.sql has the same.
_NAME = "replaceRegexpAll(replaceRegexpOne(toString({0}), '^([0-9])', 'key_\\\\1'), '[^a-zA-Z0-9_]', '_')"
_COMPARE = {"=": "=", "!=": "!=", ">": ">", ">=": ">=", "<": "<", "<=": "<="}
_EMPTY = "CAST(map(), 'Map(String, String)')"
# A label's text as a number, NULL when it is none. Durations as Go writes them, in seconds; sizes in bytes.
_NUMBERS = {
    "number": "toFloat64OrNull({0})",
    "duration": (
        "if(match({0}, '^([0-9.]+(ns|us|µs|ms|s|m|h))+$'), arraySum(g -> toFloat64OrZero(g[1]) * transform(g[2],"
        " ['ns', 'us', 'µs', 'ms', 's', 'm', 'h'], [1e-9, 1e-6, 1e-6, 1e-3, 1., 60., 3600.], 0.),"
        " extractAllGroupsVertical({0}, '([0-9.]+)(ns|us|µs|ms|s|m|h)')), NULL)"
    ),
    "bytes": (
        "if(match({0}, '^(?i)[0-9.]+ ?([kmgtp]?i?b)?$'), toFloat64OrZero(extract({0}, '^[0-9.]+')) *"
        " pow(if(match({0}, '(?i)ib$'), 1024, 1000), transform(lower(extract({0}, '(?i)([kmgtp])i?b$')),"
        " ['k', 'm', 'g', 't', 'p'], [1, 2, 3, 4, 5], 0)), NULL)"
    ),
}
# One more level of nested objects becomes flat; arrays stay as they are.
_FLATTER = (
    "arrayFlatten(arrayMap(kv -> if(startsWith(kv.2, '{'), arrayMap(c -> (concat(kv.1, '_', c.1), c.2),"
    " JSONExtractKeysAndValuesRaw(kv.2)), [kv]), %s))"
)
_JSON = "JSONExtractKeysAndValuesRaw(line)"
for _ in range(3):
    _JSON = _FLATTER % _JSON
_PARSERS = {
    "json": (
        "arrayMap(kv -> (kv.1, if(startsWith(kv.2, '\"'), JSONExtractString(kv.2), kv.2)),"
        f" arrayFilter(kv -> kv.2 != 'null' AND NOT startsWith(kv.2, '['), {_JSON}))"
    ),
    "logfmt": (
        "arrayFilter(kv -> kv.1 != '', CAST(extractKeyValuePairsWithEscaping(line, '=', ' ', '\"'),"
        " 'Array(Tuple(String, String))'))"
    ),
}
_TAKEN = (
    "CAST(arrayMap(kv -> (if(mapContains(stream, kv.1) OR mapContains(meta, kv.1), concat(kv.1, '_extracted'), kv.1),"
    " kv.2), arrayMap(kv -> (replaceRegexpAll(replaceRegexpOne(kv.1, '^([0-9])', '_\\\\1'), '[^a-zA-Z0-9_]', '_'),"
    " kv.2), {0})), 'Map(String, String)')"
)
_NO_OBJECT = "if(isValidJSON(line) AND startsWith(trimLeft(line), '{'), '', 'JSONParserErr')"


@dataclass
class LogLines:
    """A query over lines of logs, or of `incidents`, under construction. Steps apply to what the steps before left."""

    window: Window
    tenant: str = DEFAULT_TENANT
    incidents: bool = False
    params: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.params |= {"tenant": self.tenant, "start": self.window.start, "end": self.window.end}
        self._from = sql.load("log_lines_of_incidents" if self.incidents else "log_lines")
        self._where: list[Sql] = []
        self._parsed = self._failed = False
        # What `drop` and `keep` did, in order; to a name's value, and to a map of labels.
        self._on_value: list[Callable[[str, Sql], Sql]] = []
        self._on_map: list[Callable[[Sql], Sql]] = []
        # The same for what was done before the last parser: it does not concern what that one took.
        self._before_value: list[Callable[[str, Sql], Sql]] = []
        self._before_map: list[Callable[[Sql], Sql]] = []

    def param(self, value: Any, kind: str = "String") -> Sql:
        """A parameter holding the value."""
        name = f"p{len(self.params)}"
        self.params[name] = value
        return Sql(f"{{{name}:{kind}}}")

    def label(self, name: str) -> Sql:
        """The value of a label at this step, '' when there is none."""
        if name == "__error__":
            value = Sql("failed" if self._failed else "''")
        else:
            value = self._unparsed(name)
            for change in self._before_value:
                value = change(name, value)
            if self._parsed:
                key = self.param(name)
                value = Sql(f"if(mapContains(parsed, {key}), parsed[{key}], {value})")
        for change in self._on_value:
            value = change(name, value)
        return value

    def stream_label(self, name: str) -> Sql:
        """The value of a label of the stream, '' when streams have no such label."""
        if name == "service_name":
            return _SERVICE
        if name in INCIDENT_LABELS and self.incidents:
            return INCIDENT_LABELS[name]
        return Sql(f"resource['{STREAM_LABELS[name]}']") if name in STREAM_LABELS else Sql("''")

    def _unparsed(self, name: str) -> Sql:
        if name in STREAM_LABELS:
            return self.stream_label(name)
        if name == "detected_level":
            return Sql(name)
        places = [name] if name in _FIELDS else []
        places += [INCIDENT_LABELS[name]] if self.incidents and name in INCIDENT_LABELS else []
        places += [self._attribute(column, name) for column in ("resource", "scope_attributes", "attributes")]
        first = [f"nullIf(toString({place}), '')" for place in places[:-1]]
        return Sql(f"coalesce({', '.join(first)}, {places[-1]})")

    def _attribute(self, column: str, name: str) -> Sql:
        key = self.param(name)
        if "_" not in name:
            # Nothing else becomes this name.
            return Sql(f"{column}[{key}]")
        # `_` stands for any character in LIKE, too, and LIKE is quick.
        return Sql(f"{column}[arrayFirst(k -> k LIKE {key} AND {_NAME.format('k')} = {key}, mapKeys({column}))]")

    def text(self, value: Sql, op: str, wanted: str) -> Sql:
        """A comparison of all of a text: `=`, `!=`, or with a regular expression `=~`, `!~`."""
        if op in ("=", "!="):
            # The bare column lets the engine use the sort key.
            if value == _SERVICE and wanted not in ("", "unknown_service"):
                value = Sql("service")
            return Sql(f"{value} {op} {self.param(wanted)}")
        return Sql(f"{'NOT ' if op == '!~' else ''}match({value}, {self.param(f'^(?:{wanted})$')})")

    def number(self, value: Sql, kind: str, op: str, wanted: float) -> Sql:
        """A comparison of a text read as a `number`, `duration` (seconds) or `bytes`; false when it is none."""
        read = _NUMBERS[kind].format(value)
        return Sql(f"ifNull({read} {_COMPARE[op]} {self.param(wanted, 'Float64')}, false)")

    def in_line(self, op: str, values: Sequence[str]) -> Sql:
        """Whether any of the texts (`|=`) or regular expressions (`|~`) is in the line; `!=`, `!~`: none of them."""
        test = "match(line, {})" if "~" in op else "position(line, {}) > 0"
        found = " OR ".join(test.format(self.param(value)) for value in values)
        return Sql(f"{'NOT ' if op.startswith('!') else ''}({found})")

    @staticmethod
    def all_of(conditions: Sequence[Sql]) -> Sql:
        """True when all are."""
        return Sql(f"({' AND '.join(conditions)})")

    @staticmethod
    def any_of(conditions: Sequence[Sql]) -> Sql:
        """True when one is."""
        return Sql(f"({' OR '.join(conditions)})")

    def only(self, condition: Sql) -> None:
        """Go on with the lines that meet it."""
        self._where.append(condition)

    def parse(self, kind: str) -> None:
        """Take labels from the line as `json` or `logfmt`; a name that is taken gets `_extracted` behind it."""
        taken = _TAKEN.replace("{0}", _PARSERS[kind])
        columns = []
        if self._parsed:
            left = Sql("parsed")
            for change in self._on_map:
                left = change(left)
            columns.append(f"mapUpdate({left}, {taken}) AS parsed")
        else:
            columns.append(f"{taken} AS parsed")
        if kind == "json":
            columns.append(
                f"if(failed != '', failed, {_NO_OBJECT}) AS failed" if self._failed else f"{_NO_OBJECT} AS failed"
            )
        # A column that is made anew must hide the one of that name inside.
        hidden = ["parsed"] * self._parsed + ["failed"] * (self._failed and kind == "json")
        self._nest(columns, hidden)
        self._parsed, self._failed = True, self._failed or kind == "json"
        self._before_value, self._on_value = self._before_value + self._on_value, []
        self._before_map, self._on_map = self._before_map + self._on_map, []

    def rewrite(self, parts: Sequence[tuple[bool, str]]) -> None:
        """The line becomes these parts in a row: (True, label name or `__line__`) or (False, text)."""
        pieces = [
            ("line" if text == "__line__" else self.label(text)) if is_label else self.param(text)
            for is_label, text in parts
        ]
        self._nest([f"concat('', '', {', '.join(pieces)}) AS line"], ["line"])

    def _nest(self, columns: Sequence[str], hidden: Sequence[str]) -> None:
        kept = f"* EXCEPT ({', '.join(hidden)})" if hidden else "*"
        # Filtered further inside: out here a name would mean the new column.
        left = f"SELECT * FROM ({self._from}){self._filter()}" if self._where else self._from
        self._from = f"SELECT {kept}, {', '.join(columns)} FROM ({left})"
        self._where = []

    def _filter(self) -> str:
        return f" WHERE {' AND '.join(f'({condition})' for condition in self._where)}" if self._where else ""

    def choose(self, labels: Sequence[tuple[str, str, str]], *, keep: bool) -> None:
        """Drop the labels, or all but these; each is a name, and `''` or an operator and a value its own must meet."""

        def chosen(value: Sql, wanted: tuple[str, str, str]) -> Sql:
            _, op, text = wanted
            return self.text(value, op, text) if op else Sql("true")

        def on_value(name: str, value: Sql) -> Sql:
            found = [chosen(value, each) for each in labels if each[0] == name]
            is_chosen = self.any_of(found) if found else Sql("false")
            if is_chosen in ("false", "(true)"):
                return value if (is_chosen == "(true)") == keep else Sql("''")
            return Sql(f"if({is_chosen}, {f'{value}, {_NONE}' if keep else f'{_NONE}, {value}'})")

        def on_map(labels_map: Sql) -> Sql:
            any_chosen = self.any_of(
                [Sql(f"(k = {self.param(each[0])} AND {chosen(Sql('v'), each)})") for each in labels]
            )
            return Sql(f"mapFilter((k, v) -> {'' if keep else 'NOT '}{any_chosen}, {labels_map})")

        self._on_value.append(on_value)
        self._on_map.append(on_map)

    def labels_of(self, which: str) -> Sql:
        """A map of the labels of the `stream`, the `meta`data, or those `parsed`, at this step."""
        found = Sql(which)
        if which == "parsed":
            found = Sql("parsed" if self._parsed else _EMPTY)
            if self._failed:
                found = Sql(f"if(failed = '', {found}, mapConcat({found}, map('__error__', failed)))")
        for change in self._on_map if which == "parsed" else self._before_map + self._on_map:
            found = change(found)
        return found

    def everything(self) -> Sql:
        """A map of all labels at this step, in the order of their names."""
        every = ", ".join(self.labels_of(which) for which in ("stream", "meta", "parsed"))
        return Sql(f"mapSort(mapConcat({every}))")

    def _select(self, columns: str, rest: str = "") -> str:
        """The statement that gives these columns of the lines that are left."""
        return f"SELECT {columns} FROM ({self._from}){self._filter()}{rest}"

    def label_names(self) -> str:
        """The statement for the names of streams' labels: name."""
        if self.incidents:
            return self._select("arrayJoin(mapKeys(stream)) AS name", " GROUP BY name")
        # Of the logs, only the keys of resources are read; which of them are labels is asked of the few that differ.
        keys = self._select("arrayJoin(arrayPushBack(mapKeys(resource), 'service.name')) AS key", " GROUP BY key")
        labels = self.param(list(STREAM_LABELS.values()), "Array(String)")
        return f"SELECT replaceAll(toString(key), '.', '_') AS name FROM ({keys}) WHERE toString(key) IN {labels}"

    def label_values(self, name: str, limit: int) -> str:
        """The statement for the values of a stream's label: value."""
        value = self.stream_label(name)
        return self._select(f"toString({value}) AS value", f" GROUP BY value LIMIT {self.param(limit, 'UInt32')}")

    def streams(self, limit: int) -> str:
        """The statement for the label sets of streams: pairs."""
        pairs = "arraySort(CAST(stream, 'Array(Tuple(String, String))')) AS pairs"
        return self._select(pairs, f" GROUP BY pairs ORDER BY pairs LIMIT {self.param(limit, 'UInt32')}")

    def sizes(self) -> str:
        """The statement for how much there is: streams, chunks (a stream's lines of a day), entries, bytes."""
        chunks = "uniq(stream) AS streams, uniq(stream, toDate(at)) AS chunks"
        return self._select(f"{chunks}, count() AS entries, sum(length(line)) AS bytes")

    def lines(self, limit: int, *, newest_first: bool) -> str:
        """The statement for the lines themselves: ns, line, and three maps of labels as pairs."""
        maps = ", ".join(
            f"CAST({self.labels_of(which)}, 'Array(Tuple(String, String))') AS {which}_labels"
            for which in ("stream", "meta", "parsed")
        )
        order = "DESC" if newest_first else "ASC"
        # The sort key begins with five minutes, so that the engine can stop early.
        return self._select(
            f"toUnixTimestamp64Nano(at) AS ns, line, {maps}",
            f" ORDER BY toStartOfFiveMinutes(at) {order}, at {order} LIMIT {self.param(limit, 'UInt32')}",
        )

    def counts(self, by: Sequence[str] | None, measure: str, grid: Grid) -> str:
        """The statement for lines (`count`) or their bytes (`bytes`) over time: labels, step, total.

        `labels` is a JSON array of the values of `by`, or without it a JSON object of all labels. Lines are first added
        up by the first and the last step that they count for, so that overlapping ranges read each line once.
        """
        values = self.everything() if by is None else f"[{', '.join(f'toString({self.label(name)})' for name in by)}]"
        key = values if values != "[]" else "CAST([], 'Array(String)')"
        step, range_, last = (self.param(value, "Int64") for value in (grid.step, grid.range, grid.steps - 1))
        since = f"(toUnixTimestamp64Nano(at) - {self.param(grid.start, 'Int64')})"
        amount = "count()" if measure == "count" else "sum(length(line))"
        first = f"greatest(0, if({since} <= 0, 0, intDiv({since} - 1, {step}) + 1))"
        final = f"least({last}, if({since} + {range_} <= 0, 0, intDiv({since} + {range_} - 1, {step}) + 1) - 1)"
        inner = self._select(
            f"{key} AS key, {first} AS first, {final} AS final, {amount} AS amount", " GROUP BY key, first, final"
        )
        return (
            f"SELECT toJSONString(key) AS labels, toInt64(at_step) AS step, toFloat64(sum(amount)) AS total"
            f" FROM ({inner}) ARRAY JOIN range(toUInt64(first), toUInt64(final + 1)) AS at_step"
            " WHERE final >= first GROUP BY key, at_step ORDER BY labels, step"
        )


_NONE = "''"


@dataclass(frozen=True, slots=True)
class Grid:
    """Steps at `start`, `start + step`, ...; each counts what lies in the `range` nanoseconds up to and with it."""

    start: int
    step: int
    steps: int
    range: int

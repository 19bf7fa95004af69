"""Redaction as SQL over the columns of the otel_* tables.

`p` is the policy, a row of constants (store/redaction.py); HashInner and HashOuter are the two padded keys of an
HMAC-SHA256, which come with the rows and are stored nowhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from scripts.landing_columns import METRIC, SERIES_HASH
from scripts.otlp_expressions import MAP, literal
from store.redaction import EVENT_SLOTS, HASH_SLOTS, KEY_SLOTS, TEXT_SLOTS

POLICY = (
    "Version", "Any", "TextNames", "TextPatterns", "TextMarks", "HashNames", "HashPatterns", "KeyNames", "KeyPatterns",
    "KeyActions", "Drop", "EventNames", "EventPatterns", "EventActions",
)  # fmt: skip
READ = f"WITH (SELECT ({', '.join(POLICY)}) FROM redaction_policy ORDER BY At DESC, Version LIMIT 1) AS p"
# Without a policy nothing may pass. A throwIf would say that the sender is at fault; a division by zero does not.
GUARD = "intDiv(1, length(materialize(p.1))) >= 0"
# What accompanies the rows on their way and is not stored.
PASSING = {"Suspect": "Bool", "HashInner": "String", "HashOuter": "String"}


@dataclass(frozen=True)
class Texts:
    """Which columns of a table hold text: maps with their *Types column or '', arrays of maps, texts."""

    maps: dict[str, str]
    map_arrays: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    text_arrays: tuple[str, ...] = ()
    body: str = ""
    hashed: dict[str, str] = field(default_factory=dict)


_SHARED = {"ResourceAttributes": "ResourceAttributeTypes", "ScopeAttributes": ""}
_RESOURCE_HASH = METRIC["ResourceHash"]


def _of_kind(exemplars: bool) -> Texts:
    return Texts(
        maps={**_SHARED, "Attributes": "AttributeTypes"},
        map_arrays=("`Exemplars.FilteredAttributes`",) if exemplars else (),
        texts=("MetricDescription",),
        hashed={"SeriesHash": SERIES_HASH.replace("ResourceHash", _RESOURCE_HASH)},
    )


TABLES = {
    "otel_traces": Texts(
        maps={**_SHARED, "SpanAttributes": "SpanAttributeTypes"},
        map_arrays=("`Events.Attributes`", "`Links.Attributes`"),
        texts=("SpanName", "StatusMessage", "TraceState"),
        text_arrays=("`Events.Name`",),
    ),
    "otel_logs": Texts(maps={**_SHARED, "LogAttributes": "LogAttributeTypes"}, texts=("SeverityText",), body="Body"),
    "otel_metrics_gauge": _of_kind(True),
    "otel_metrics_sum": _of_kind(True),
    "otel_metrics_histogram": _of_kind(True),
    "otel_metrics_exponential_histogram": _of_kind(True),
    "otel_metrics_summary": _of_kind(False),
}


def policy(name: str, slot: int = 0) -> str:
    """A member of the policy; of a list, that of a place, counted from 1."""
    return f"p.{POLICY.index(name) + 1}" + (f"[{slot}]" if slot else "")


def keyed(value: str) -> str:
    """HMAC-SHA256 of a text in hex, cut to 64 bits (https://datatracker.ietf.org/doc/html/rfc2104)."""
    return f"lower(hex(substring(SHA256(concat(HashOuter, SHA256(concat(HashInner, {value})))), 1, 8)))"


def _hash_mark(name: str, value: str) -> str:
    return f"concat('[hashed:', {name}, ':', {keyed(value)}, ']')"


def _mark(name: str) -> str:
    return f"concat('[redacted:', {name}, ']')"


def redacted(text: str) -> str:
    """The text as the policy lets it pass. What no rule matches is the text itself, byte for byte."""
    changed = "x"
    for slot in range(1, HASH_SLOTS + 1):
        pattern = policy("HashPatterns", slot)
        mark = _hash_mark(policy("HashNames", slot), "g[2]")
        joined = f"arrayStringConcat(arrayMap((t, g) -> concat(t, g[1], if(g[2] = '', '', {mark}), g[3]), "
        joined += f"splitByRegexp({pattern}, x), arrayPushBack(extractAllGroupsVertical(x, {pattern}), ['', '', ''])))"
        changed = f"arrayMap(x -> {joined}, [{changed}])[1]"
    for slot in range(1, TEXT_SLOTS + 1):
        changed = f"replaceRegexpAll({changed}, {policy('TextPatterns', slot)}, {policy('TextMarks', slot)})"
    return f"arrayMap(x -> if(match(x, {policy('Any')}), toValidUTF8({changed}), x), [{text}])[1]"


def _by_rule(kind: str, slots: int, subject: str, value: str, otherwise: str) -> str:
    """The value after the first rule of a kind that matches the subject."""
    branches = []
    for slot in range(1, slots + 1):
        name = policy(f"{kind}Names", slot)
        hashed, masked = _hash_mark(name, value), _mark(name)
        action = policy(f"{kind}Actions", slot)
        branches.append(f"{subject} != '' AND match({subject}, {policy(f'{kind}Patterns', slot)})")
        branches.append(f"multiIf({action} = 'hash', {hashed}, {action} = 'drop', '', {masked})")
    return f"multiIf({', '.join(branches)}, {otherwise})"


def _event() -> str:
    return "if(EventName != '', EventName, LogAttributes['event.name'])"


@dataclass(frozen=True)
class Layout:
    """All texts of a row in one array, so that the rules stand in a view once: maps, arrays of maps, lists, texts."""

    of: Texts

    @property
    def single(self) -> tuple[str, ...]:
        """Columns of one text each; they come last."""
        return (*self.of.texts, *((self.of.body,) if self.of.body else ()))

    def keys(self) -> str:
        """The attribute keys that go with the texts, '' for a text that is no attribute."""
        parts = [f"CAST(mapKeys({name}), 'Array(String)')" for name in self.of.maps]
        parts += [f"arrayFlatten(arrayMap(m -> CAST(mapKeys(m), 'Array(String)'), {name}))" for name in self.of.map_arrays]
        parts += [f"arrayMap(n -> '', {name})" for name in self.of.text_arrays]
        return f"arrayConcat({', '.join(parts)}, arrayResize([''], {len(self.single)}, ''))"

    def texts(self) -> str:
        """The texts."""
        parts = [f"mapValues({name})" for name in self.of.maps]
        parts += [f"arrayFlatten(arrayMap(m -> mapValues(m), {name}))" for name in self.of.map_arrays]
        parts += [f"CAST({name}, 'Array(String)')" for name in self.of.text_arrays]
        singles = ", ".join(f"CAST({name}, 'String')" for name in self.single)
        return f"arrayConcat({', '.join(parts)}, [{singles}])"

    def columns(self) -> dict[str, str]:
        """Every column that redaction may change, from the redacted texts, C."""
        out, at = {}, "1"
        for name, types in self.of.maps.items():
            out[name] = _map(name, f"arraySlice(C, {at}, length({name}))")
            if types:
                out[types] = _types(types, name)
            at += f" + length({name})"
        for name in self.of.map_arrays:
            sizes = f"arrayMap(m -> length(m), {name})"
            before = f"arrayMap((e, n) -> e - n, arrayCumSum({sizes}), {sizes})"
            values = f"arraySlice(C, {at} + b, length(m))"
            out[name] = f"arrayMap((m, b) -> {_map('m', values)}, {name}, {before})"
            at += f" + arraySum({sizes})"
        for name in self.of.text_arrays:
            out[name] = f"arraySlice(C, {at}, length({name}))"
            at += f" + length({name})"
        for number, name in enumerate(self.single):
            out[name] = f"C[{at} + {number}]"
        if self.of.body:
            out[self.of.body] = _by_rule("Event", EVENT_SLOTS, _event(), self.of.body, out[self.of.body])
        return out


def _map(name: str, values: str) -> str:
    kept = f"mapFilter((k, v) -> NOT match(k, {policy('Drop')}), mapFromArrays(mapKeys({name}), {values}))"
    return f"CAST({kept}, '{MAP}')"


def _types(types: str, mapping: str) -> str:
    """The types that go with the redacted map: dropped pairs are gone, and a mark is a string."""
    any_key = " OR ".join(f"match(k, {policy('KeyPatterns', slot)})" for slot in range(1, KEY_SLOTS + 1))
    marked = f"arrayMap((t, k) -> if({any_key}, 1, t), CAST({types}, 'Array(Int8)'), mapKeys({mapping}))"
    return f"arrayFilter((t, k) -> NOT match(k, {policy('Drop')}), {marked}, mapKeys({mapping}))"


def view(table: str, source: str) -> str:
    """The query that writes suspected rows of `source` to `table`."""
    layout = Layout(TABLES[table])
    changed = layout.columns()
    # An expression must not bear the name of a column that another expression reads.
    renamed = {name: f"R{number}" for number, name in enumerate(changed, 1)}
    value = _by_rule("Key", KEY_SLOTS, "k", "v", redacted("v"))
    query = f"SELECT *, {layout.keys()} AS K, {layout.texts()} AS V\nFROM {source}"
    query = f"{READ}\nSELECT * EXCEPT (K, V), arrayMap((k, v) -> {value}, K, V) AS C\nFROM (\n{query}\n)\nWHERE {GUARD}"
    listed = ",\n    ".join(f"{expression} AS {renamed[name]}" for name, expression in changed.items())
    query = f"{READ}\nSELECT * EXCEPT (C, {', '.join(PASSING)}),\n    {listed}\nFROM (\n{query}\n)"
    # ServiceName, and hashes, follow from what has been redacted.
    derived = {"ServiceName": f"{renamed['ResourceAttributes']}['service.name']"}
    for name, expression in layout.of.hashed.items():
        derived[name] = re.sub(r"\w+", lambda match: {**renamed, **derived}.get(match[0], match[0]), expression)
    outputs = [*((name, alias) for name, alias in renamed.items()), *derived.items()]
    listed = ", ".join(f"{value} AS {name}" for name, value in outputs)
    return f"SELECT * EXCEPT ({', '.join([*renamed, *renamed.values(), *derived])}), {listed}\nFROM (\n{query}\n)"


def counts(table: str, source: str) -> str:
    """The query that counts, by rule, what the rules find in suspected rows of `source`."""
    layout = Layout(TABLES[table])
    found = {
        "TextNames": [f"countMatches(T, {policy('TextPatterns', slot)})" for slot in range(1, TEXT_SLOTS + 1)],
        "HashNames": [f"countMatches(T, {policy('HashPatterns', slot)})" for slot in range(1, HASH_SLOTS + 1)],
        "KeyNames": [
            f"arrayCount(k -> k != '' AND match(k, {policy('KeyPatterns', slot)}), K)" for slot in range(1, KEY_SLOTS + 1)
        ],
    }
    if layout.of.body:
        found["EventNames"] = [
            f"match({_event()}, {policy('EventPatterns', slot)})" for slot in range(1, EVENT_SLOTS + 1)
        ]
    named = f"arrayConcat({', '.join(policy(name) for name in found)})"
    numbers = f"CAST([{', '.join(number for part in found.values() for number in part)}], 'Array(UInt64)')"
    query = f"SELECT *, {layout.keys()} AS K, arrayStringConcat({layout.texts()}, '\\n') AS T\nFROM {source}"
    pairs = f"arrayFilter(f -> f.2 > 0, arrayZip({named}, {numbers}))"
    query = f"{READ}\nSELECT Tenant, Batch, arrayJoin({pairs}) AS F\nFROM (\n{query}\n)"
    return (
        f"SELECT Tenant, Batch, {literal(table)} AS Target, F.1 AS Rule, sum(F.2) AS Found\nFROM (\n{query}\n)\n"
        "GROUP BY Tenant, Batch, Rule"
    )

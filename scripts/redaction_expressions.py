"""Redaction as SQL over the columns of the otel_* tables.

`p` is the policy, a row of constants (store/redaction.py); HashInner and HashOuter are the two padded keys of an
HMAC-SHA256, which come with the rows and are stored nowhere.
"""

from __future__ import annotations

import re

from scripts.landing_columns import CAREFUL, METRIC, SERIES_HASH
from scripts.otlp_expressions import DEEPER_ARRAY, DEEPER_MAP, literal
from store.redaction import EVENT_SLOTS, HASH_SLOTS, KEY_SLOTS, TEXT_SLOTS

POLICY = (
    "Version", "Scan", "Any", "TextNames", "TextPatterns", "TextMarks", "HashNames", "HashPatterns", "KeyAny",
    "KeyNames", "KeyPatterns", "KeyActions", "EventNames", "EventPatterns", "EventActions",
)  # fmt: skip
READ = f"WITH (SELECT ({', '.join(POLICY)}) FROM redaction_policy ORDER BY At DESC, Version LIMIT 1) AS p"
# Without a policy nothing may pass. A throwIf would say that the sender is at fault; a division by zero does not.
GUARD = "intDiv(1, ifNull(length(materialize(p.1)), 0)) >= 0"
NESTED = "[redacted:nested]"
# What accompanies the rows on their way and is not stored.
PASSING = {
    **{column: kind for column, (_, kind) in CAREFUL.items()},
    "Received": "UInt64",
    "Reason": "UInt8",
}


# The tables whose rows are redacted. They pass through one table that has the columns of all: a view for each would
# have the engine analyse the rules seven times at every start of a new database.
TABLES = (
    "otel_traces", "otel_logs", "otel_metrics_gauge", "otel_metrics_sum", "otel_metrics_histogram",
    "otel_metrics_exponential_histogram", "otel_metrics_summary",
)  # fmt: skip
# Columns that hold text: maps with their *Types column or '', arrays of maps, arrays of texts, texts.
MAPS = {
    "ResourceAttributes": "ResourceAttributeTypes",
    "ScopeAttributes": "",
    "SpanAttributes": "SpanAttributeTypes",
    "LogAttributes": "LogAttributeTypes",
    "Attributes": "AttributeTypes",
}
MAP_ARRAYS = ("`Events.Attributes`", "`Links.Attributes`", "`Exemplars.FilteredAttributes`")
TEXT_ARRAYS = ("`Events.Name`",)
BODY = "Body"
TEXTS = ("SpanName", "StatusMessage", "TraceState", "SeverityText", "MetricDescription", BODY)
# What follows from what has been redacted.
DERIVED = {
    "ServiceName": "ResourceAttributes['service.name']",
    "SeriesHash": SERIES_HASH.replace("ResourceHash", METRIC["ResourceHash"]),
}


def policy(name: str, slot: int = 0) -> str:
    """A member of the policy; of a list, that of a place, counted from 1."""
    return f"p.{POLICY.index(name) + 1}" + (f"[{slot}]" if slot else "")


def keyed(value: str) -> str:
    """HMAC-SHA256 of a text in hex, cut to 64 bits (https://datatracker.ietf.org/doc/html/rfc2104)."""
    return f"lower(hex(substring(SHA256(concat(HashOuter, SHA256(concat(HashInner, {value})))), 1, 8)))"


def _hash_mark(name: str, value: str) -> str:
    return f"concat('[hashed:', {name}, ':', {keyed(value)}, ']')"


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
    looked_into = f"arrayMap(x -> {_deeper('x')}, [{text}])"
    return f"arrayMap(x -> if(match(x, {policy('Any')}), toValidUTF8({changed}), x), {looked_into})[1]"


def _deeper(text: str) -> str:
    """The text, with what is nested too deep to be JSON masked where a rule may find something in its bytes."""
    blob = rf'"(?:{DEEPER_ARRAY}|{DEEPER_MAP})":"'
    content = '([^"]*)'
    blobs = f"extractAll({text}, {literal(blob + content)})"
    # Of the engine's functions this one looks at bytes, as the scan of a request does.
    found = f"arrayExists(b -> replaceRegexpOne(base64Decode(b), {policy('Scan')}, '') != base64Decode(b), {blobs})"
    mask = literal(rf"\1{NESTED}")
    masked = f"replaceRegexpAll({text}, {literal(f'({blob}){content}')}, {mask})"
    return f"if(position({text}, 'otlp_') > 0 AND {found}, {masked}, {text})"


def _rule(kind: str, slots: int, subject: str) -> str:
    """Number of the first rule of a kind that matches the subject; 0 for none, and for no subject."""
    branches = ", ".join(f"match({subject}, {policy(f'{kind}Patterns', slot)}), {slot}" for slot in range(1, slots + 1))
    return f"multiIf({subject} = '', 0, {branches}, 0)"


def _by_rule(kind: str, rule: str, value: str, otherwise: str) -> str:
    """The value as the rule of that number leaves it; `otherwise` where the number is 0. What is dropped is ''."""
    action, name = f"{policy(f'{kind}Actions')}[{rule}]", f"{policy(f'{kind}Names')}[{rule}]"
    return (
        f"multiIf({rule} = 0, {otherwise}, {action} = 'hash', {_hash_mark(name, value)}, {action} = 'drop', '', "
        f"concat('[redacted:', {name}, ']'))"
    )


_EVENT = "if(EventName != '', EventName, LogAttributes['event.name'])"


def _keys() -> str:
    """The attribute keys that go with `_texts`, '' for a text that is no attribute."""
    parts = [f"CAST(mapKeys({name}), 'Array(String)')" for name in MAPS]
    parts += [f"arrayFlatten(arrayMap(m -> CAST(mapKeys(m), 'Array(String)'), {name}))" for name in MAP_ARRAYS]
    parts += [f"arrayMap(n -> '', {name})" for name in TEXT_ARRAYS]
    return f"arrayConcat({', '.join(parts)}, arrayResize([''], {len(TEXTS)}, ''))"


def _texts() -> str:
    """All texts of a row in one array, so that the rules stand in a view once."""
    parts = [f"mapValues({name})" for name in MAPS]
    parts += [f"arrayFlatten(arrayMap(m -> mapValues(m), {name}))" for name in MAP_ARRAYS]
    parts += [f"CAST({name}, 'Array(String)')" for name in TEXT_ARRAYS]
    singles = ", ".join(f"CAST({name}, 'String')" for name in TEXTS)
    return f"arrayConcat({', '.join(parts)}, [{singles}])"


def _columns() -> dict[str, str]:
    """Every column that redaction may change, from C, the redacted texts, and R and D, the keys' rules."""
    out, at = {}, "1"
    for name, types in MAPS.items():
        out[name] = _map(name, at)
        if types:
            out[types] = _types(types, f"{at}, length({name})")
        at += f" + length({name})"
    for name in MAP_ARRAYS:
        sizes = f"arrayMap(m -> length(m), {name})"
        before = f"arrayMap((e, n) -> e - n, arrayCumSum({sizes}), {sizes})"
        out[name] = f"arrayMap((m, b) -> {_map('m', f'{at} + b')}, {name}, {before})"
        at += f" + arraySum({sizes})"
    for name in TEXT_ARRAYS:
        out[name] = f"arraySlice(C, {at}, length({name}))"
        at += f" + length({name})"
    for number, name in enumerate(TEXTS):
        out[name] = f"C[{at} + {number}]"
    value = _by_rule("Event", "r", BODY, out[BODY])
    out[BODY] = f"arrayMap(r -> {value}, [{_rule('Event', EVENT_SLOTS, _EVENT)}])[1]"
    return out


def _map(name: str, at: str) -> str:
    """The map with the redacted texts from a place on, without the pairs that are dropped."""
    place = f"{at}, length({name})"
    kept = f"arrayFilter((k, d) -> NOT d, mapKeys({name}), arraySlice(D, {place}))"
    values = f"arrayFilter((v, d) -> NOT d, arraySlice(C, {place}), arraySlice(D, {place}))"
    return f"mapFromArrays({kept}, {values})"


def _types(types: str, place: str) -> str:
    """The types that go with the redacted map: dropped pairs are gone, and a mark is a string."""
    marked = f"arrayMap((t, r) -> if(r > 0, 1, t), CAST({types}, 'Array(Int8)'), arraySlice(R, {place}))"
    return f"arrayFilter((t, d) -> NOT d, {marked}, arraySlice(D, {place}))"


def redacting(source: str) -> str:
    """The query that redacts the rows of `source`."""
    changed = _columns()
    # An expression must not bear the name of a column that another expression reads.
    renamed = {name: f"R{number}" for number, name in enumerate(changed, 1)}
    query = f"{READ}\nSELECT *, {rule_of(_keys())} AS R, {_texts()} AS V\nFROM {source}\nWHERE {GUARD}"
    query = f"{READ}\nSELECT * EXCEPT (V), {redacted_pairs('V', 'R')} AS C, {dropped('R')} AS D\nFROM (\n{query}\n)"
    listed = ",\n    ".join(f"{expression} AS {renamed[name]}" for name, expression in changed.items())
    query = f"{READ}\nSELECT * EXCEPT (C, D, R, {', '.join(PASSING)}),\n    {listed}\nFROM (\n{query}\n)"
    derived: dict[str, str] = {}
    for name, expression in DERIVED.items():
        derived[name] = re.sub(r"\w+", lambda match: {**renamed, **derived}.get(match[0], match[0]), expression)
    outputs = [*((name, alias) for name, alias in renamed.items()), *derived.items()]
    listed = ", ".join(f"{value} AS {name}" for name, value in outputs)
    return f"SELECT * EXCEPT ({', '.join([*renamed, *renamed.values(), *derived])}), {listed}\nFROM (\n{query}\n)"


def rule_of(keys: str) -> str:
    """Number of the key rule that matches each of `keys`; 0 for none, and for ''.

    One look tells most of them from those that some rule matches.
    """
    return f"arrayMap(k -> if(match(k, {policy('KeyAny')}), {_rule('Key', KEY_SLOTS, 'k')}, 0), {keys})"


def redacted_pairs(values: str, rules: str) -> str:
    """The values as the policy lets them pass; `rules` are the numbers of their key rules. What is dropped is ''."""
    return f"arrayMap((v, r) -> {_by_rule('Key', 'r', 'v', redacted('v'))}, {values}, {rules})"


def dropped(rules: str) -> str:
    """Whether the key rule of each number drops its pair."""
    return f"arrayMap(r -> {policy('KeyActions')}[r] = 'drop', {rules})"


def found(text: str, rules: str, events: str = "") -> str:
    """Pairs of a rule's name and how often it finds something in a text, among keys, or among event names."""
    counts = {
        "TextNames": [f"countMatches({text}, {policy('TextPatterns', slot)})" for slot in range(1, TEXT_SLOTS + 1)],
        "HashNames": [f"countMatches({text}, {policy('HashPatterns', slot)})" for slot in range(1, HASH_SLOTS + 1)],
        "KeyNames": [f"countEqual({rules}, {slot})" for slot in range(1, KEY_SLOTS + 1)],
    }
    if events:
        slots = range(1, EVENT_SLOTS + 1)
        counts["EventNames"] = [f"({_rule('Event', EVENT_SLOTS, events)}) = {slot}" for slot in slots]
    named = f"arrayConcat({', '.join(policy(name) for name in counts)})"
    numbers = f"CAST([{', '.join(number for part in counts.values() for number in part)}], 'Array(UInt64)')"
    return f"arrayFilter(f -> f.2 > 0, arrayZip({named}, {numbers}))"


def counting(source: str) -> str:
    """The query that counts, by rule, what the rules find in the rows of `source`."""
    query = f"{READ}\nSELECT Tenant, Batch, Target, EventName, LogAttributes, {rule_of(_keys())} AS R,"
    query += f" arrayStringConcat({_texts()}, '\\n') AS T\nFROM {source}"
    events = f"{_rule('Event', EVENT_SLOTS, _EVENT)} > 0"
    some = f"match(T, {policy('Any')}) OR arrayExists(r -> r > 0, R) OR {events}"
    pairs = f"arrayJoin({found('T', 'R', _EVENT)}) AS F"
    query = f"{READ}\nSELECT Tenant, Batch, Target, {pairs}\nFROM (\n{query}\n)\nWHERE {some}"
    return counted(query)


def counted(query: str) -> str:
    """The counts of a query that has a pair F of a rule's name and a number in each row, added up."""
    return (
        f"SELECT Tenant, Batch, Target, F.1 AS Rule, sum(F.2) AS Found\nFROM (\n{query}\n)\n"
        "GROUP BY Tenant, Batch, Target, Rule"
    )

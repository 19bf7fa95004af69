"""ClickHouse types of the messages in store/proto/otlp.proto, and SQL expressions over their columns."""

from __future__ import annotations

import re
from dataclasses import dataclass

# The key under which an array or map nested deeper than declared keeps its protobuf bytes, in base64.
DEEPER_ARRAY = "otlp_array_value"
DEEPER_MAP = "otlp_kvlist_value"

NOT_UTF8 = "text is not UTF-8"

MAP = "Map(LowCardinality(String), String)"
RESOURCE_MAP = "Map(LowCardinality(String), LowCardinality(String))"
# Beyond this a Date, and so a partition's day, wraps round (2149-06-05, in nanoseconds).
LAST_TIME = 5_662_224_000_000_000_000

_SCALARS = {
    "string": "String",
    "bytes": "String",
    "bool": "Bool",
    "double": "Float64",
    "int32": "Int32",
    "sint32": "Int32",
    "uint32": "UInt32",
    "fixed32": "UInt32",
    "int64": "Int64",
    "sint64": "Int64",
    "sfixed64": "Int64",
    "uint64": "UInt64",
    "fixed64": "UInt64",
}
_MESSAGE = re.compile(r"message (\w+) \{")
_ONEOF = re.compile(r"oneof (\w+) \{([^}]*)\}")
_OWN = re.compile(r"\battributes\.(?:k|v\.s)$")
_CONTAINER = re.compile(r"(?:List|Map)\d$")
_FIELD = re.compile(r"(?:(repeated|optional) )?(\w+) (\w+) = (\d+);")

# Pieces of a printed AnyN. An AnyN ends with "x":"..."}, and one brace more when it stands in a pair.
_PAIR_END, _PAIR_END_KEPT = r'("x":"[^"]*"\})\}', r"\1"
_PAIR, _PAIR_KEPT = r'\{"k":("[^"]*"),"v":', r"\1:"
_SCALAR = (
    r'\{"t":"(?:s","s":("[^"]*"),"b":false,"i":0,"d":0|i","s":"","b":false,"i":(-?\d+),"d":0|'
    r'b","s":"","b":(true|false),"i":0,"d":0|d","s":"","b":false,"i":0,"d":([^,}]+)|'
    r'x","s":"","b":false,"i":0,"d":0,"[aA]":[^,]+,"[mM]":[^,]+,"x":("[^"]*"))\}'
)
_SCALAR_KEPT = r"\1\2\3\4\5"


@dataclass(frozen=True)
class Field:
    """One proto field: label is '', 'repeated' or 'optional'."""

    label: str
    kind: str
    name: str
    number: int


@dataclass(frozen=True)
class Message:
    """Fields of a message, and the members of its oneofs by the oneof's name."""

    fields: tuple[Field, ...]
    oneofs: dict[str, tuple[Field, ...]]


def parse(text: str) -> dict[str, Message]:
    """Messages of a proto3 file that has no nested messages."""
    text = re.sub(r"//.*", "", text)
    starts = [*_MESSAGE.finditer(text)]
    ends = [match.start() for match in starts[1:]] + [len(text)]
    messages = {}
    for match, end in zip(starts, ends, strict=True):
        body = text[match.end() : end]
        oneofs = {name: _fields(members) for name, members in _ONEOF.findall(body)}
        messages[match.group(1)] = Message(_fields(body), oneofs)
    return messages


def _fields(text: str) -> tuple[Field, ...]:
    return tuple(Field(label, kind, name, int(number)) for label, kind, name, number in _FIELD.findall(text))


def column_type(messages: dict[str, Message], kind: str) -> str:
    """ClickHouse type of a scalar or message type; a oneof becomes an Enum8 that names its set member."""
    if kind in _SCALARS:
        return _SCALARS[kind]
    message = messages[kind]
    parts = []
    for name, members in message.oneofs.items():
        texts = ", ".join(f"'{f.name}' = {f.number}" for f in members)
        parts.append(f"{name} Enum8('none' = 0, {texts})")
    for field in message.fields:
        inner = column_type(messages, field.kind)
        wrapped = {"repeated": f"Array({inner})", "optional": f"Nullable({inner})"}.get(field.label, inner)
        parts.append(f"{field.name} {wrapped}")
    return f"Tuple({', '.join(parts)})"


def literal(text: str) -> str:
    """A SQL string literal."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def replaced(expression: str, *pairs: tuple[str, str]) -> str:
    """`expression` with each first text replaced by its second, in order."""
    for old, new in pairs:
        expression = f"replaceAll({expression}, {literal(old)}, {literal(new)})"
    return expression


def strings(messages: dict[str, Message], kind: str, path: str, depth: int = 0) -> list[tuple[str, int]]:
    """Every string below a column of this message type: its path, and how many arrays deep it is.

    Not those inside arrays and maps that stand as values: `json` checks them as it prints them.
    """
    found = []
    for field in messages[kind].fields:
        below, deeper = f"{path}.{field.name}", depth + (field.label == "repeated")
        if field.kind == "string":
            found.append((below, deeper))
        elif field.kind in messages and not _CONTAINER.match(field.kind):
            found.extend(strings(messages, field.kind, below, deeper))
    return found


def not_utf8(texts: list[tuple[str, int]]) -> str:
    """Throws where one of the texts is not UTF-8, which ClickHouse would pass on to break every JSON reader.

    Looking at every text once costs less than half of repairing each where it is used.
    """
    conditions = [f"NOT isValidUTF8({text})" for text, depth in texts if not depth]
    # Large arrays one by one; those of events, links and exemplars, often empty, together: a lambda costs 0.3 ms.
    arrays = [text for text, depth in texts if depth == 1 and _OWN.search(text)]
    others = [_flat(text, depth) for text, depth in texts if depth and text not in arrays]
    if others:
        arrays.append(f"arrayConcat({', '.join(others)})")
    conditions += [f"arrayExists(x -> NOT isValidUTF8(x), {array})" for array in arrays]
    return f"throwIf({' OR '.join(conditions)}, '{NOT_UTF8}')"


def _flat(array: str, depth: int) -> str:
    for _ in range(depth - 1):
        array = f"arrayFlatten({array})"
    return array


def _unescaped(content: str) -> str:
    """Bytes of a JSON string's content: ClickHouse's escapes become URL escapes, which it can decode."""
    escapes = [("%", "%25"), ("\\b", "%08"), ("\\f", "%0C"), ("\\n", "%0A"), ("\\r", "%0D"), ("\\t", "%09")]
    escapes += [("\\u2028", "%E2%80%A8"), ("\\u2029", "%E2%80%A9"), ("\\u00", "%")]
    return f"decodeURLComponent({replaced(content, *escapes)})"


def _with_base64(raw: str) -> str:
    """The printed tuple with its bytes members (x, and A and M where nesting was cut off) in base64.

    Every second piece between quotes is a string's content; a member's name and a colon precede it.
    """
    piece = f"if(p != '' AND c = ':' AND n IN ('x', 'A', 'M'), base64Encode({_unescaped('p')}), p)"
    shifted = "arrayShiftRight(q, 2, ''), arrayShiftRight(q, 1, '')"
    pieces = f"arrayMap(q -> arrayMap((p, n, c) -> {piece}, q, {shifted}), [splitByChar('\"', {raw})])"
    return f"arrayStringConcat({pieces}[1], '\"')"


def json(value: str) -> str:
    """JSON text of an AnyN that holds an array or a map.

    toJSONString prints the tuple, {"t":"i","s":"","b":false,"i":7,...}, and its fixed pieces are rewritten.
    Quotes inside strings are spelt \\u0022 meanwhile, so no piece can match inside a value. Walking the
    levels with nested lambdas instead takes 5 to 30 times longer to analyse, which every insert pays.
    """
    raw = replaced(f"toJSONString({value})", ("\\\\", "\\u005C"), ('\\"', "\\u0022"))
    # A lambda, so that the long text is there once.
    checked = f"if(throwIf(NOT isValidUTF8(j), '{NOT_UTF8}'), '', j)"
    text = f"arrayMap(j -> {checked}, [{_with_base64(raw)}])[1]"
    unset = '"s":"","b":false,"i":0,"d":0'
    none, array, mapping, array0, mapping0, blob = (f'{{"t":"{member}",{unset}' for member in ("none", *"amAMx"))
    text = f"replaceRegexpAll({text}, {literal(_PAIR_END)}, {literal(_PAIR_END_KEPT)})"
    text = replaced(
        text,
        # A NaN has no sign to tell of.
        ('"d":"-nan"', '"d":"nan"'),
        (',"a":{"v":[]},"m":{"v":[]},"x":""}', "}"),
        (',"A":"","M":"","x":""}', "}"),
        (none + "}", "null"),
        (blob + "}", '""'),
        (array + "}", "[]"),
        (array0 + "}", "[]"),
        (mapping + "}", "{}"),
        (mapping0 + "}", "{}"),
        (array0 + ',"A":"', f'{{"{DEEPER_ARRAY}":"'),
        ('","M":"","x":""}', '"}'),
        (mapping0 + ',"A":"","M":"', f'{{"{DEEPER_MAP}":"'),
        ('","x":""}', '"}'),
        (array + ',"a":{"v":[', "["),
        (']},"m":{"v":[]},"x":""}', "]"),
        (mapping + ',"a":{"v":[]},"m":{"v":[', "{"),
        (']},"x":""}', "}"),
    )
    text = f"replaceRegexpAll({text}, {literal(_PAIR)}, {literal(_PAIR_KEPT)})"
    text = f"replaceRegexpAll({text}, {literal(_SCALAR)}, {literal(_SCALAR_KEPT)})"
    return replaced(text, ("\\u0022", '\\"'), ("\\u005C", "\\\\"))


@dataclass(frozen=True)
class Values:
    """Expressions over AnyValues: nested ones are AnyN with N > 0, flat ones Any0."""

    nested: bool

    def text(self, value: str) -> str:
        """The exporter's text of an AnyValue: scalars bare, bytes in base64, arrays and maps as JSON, unset as ''."""
        members = {member: f"{value}.{member}" for member in "tsbidxAM"}
        return _text(members, f"{value}.t IN ('a', 'm'), {json(value)}" if self.nested else "")

    def texts(self, values: str) -> str:
        """The exporter's texts of an array of AnyValues."""
        if self.nested:
            return f"arrayMap(v -> {self.text('v')}, {values})"
        # An argument a member is three times as fast as one that is the tuple.
        members = {member: member for member in "tsbidxAM"}
        columns = ", ".join(f"{values}.{member}" for member in members)
        return f"arrayMap(({', '.join(members)}) -> {_text(members)}, {columns})"

    def attributes(self, pairs: str) -> str:
        """The exporter's map of a repeated KeyValue."""
        return f"mapFromArrays(CAST({pairs}.k, 'Array(LowCardinality(String))'), {self.texts(f'{pairs}.v')})"

    def attribute_maps(self, pairs: str) -> str:
        """The exporter's maps of a repeated message's repeated KeyValue."""
        return f"arrayMap(a -> {self.attributes('a')}, {pairs})"


FLAT = Values(nested=False)


def _text(of: dict[str, str], containers: str = "") -> str:
    """Text of an AnyValue with such members; `containers`, if not that of an Any0, are the branches for its own."""
    if not containers:
        # The elements are there as bytes only.
        deeper = f"concat(if({of['t']} = 'A', '{{\"{DEEPER_ARRAY}\":\"', '{{\"{DEEPER_MAP}\":\"'), "
        deeper += f"base64Encode(concat({of['A']}, {of['M']})), '\"}}')"
        containers = (
            f"{of['t']} = 'A' AND {of['A']} = '', '[]', {of['t']} = 'M' AND {of['M']} = '', '{{}}', "
            f"{of['t']} IN ('A', 'M'), {deeper}"
        )
    return (
        f"multiIf({of['t']} = 's', {of['s']}, {of['t']} = 'i', toString({of['i']}), "
        f"{of['t']} = 'b', toString({of['b']}), {of['t']} = 'd', toString({of['d']}), "
        f"{containers}, base64Encode({of['x']}))"
    )


def types(pairs: str) -> str:
    """Which AnyValue member each pair of a repeated KeyValue had, by its field number."""
    return f"CAST({pairs}.v.t, 'Array(Int8)')"


def hex_id(value: str, size: int) -> str:
    """A trace or span id in hex, '' for absent and for all zeros, as the exporter does."""
    return f"if({value} IN ('', unhex('{'00' * size}')), '', lower(hex({value})))"


def usable(nanoseconds: str) -> str:
    """The time, or 0 (OTLP's "unknown") for one that no partition can hold."""
    return f"if({nanoseconds} > {LAST_TIME}, 0, {nanoseconds})"


def time(nanoseconds: str) -> str:
    """Nanoseconds since the epoch as a DateTime64(9)."""
    return f"fromUnixTimestamp64Nano(toInt64({nanoseconds}), 'UTC')"


def named(value: str, names: tuple[str, ...]) -> str:
    """The exporter's text of an enum number; a number it does not know stays a number."""
    texts = ", ".join(f"'{name}'" for name in names)
    return f"transform({value}, [{', '.join(map(str, range(len(names))))}], [{texts}], toString({value}))"


def pairs_hash(mapping: str) -> str:
    """Hash of a map that does not depend on the order of its keys."""
    return f"arraySum(arrayMap((k, v) -> cityHash64(k, v), mapKeys({mapping}), mapValues({mapping})))"


def exemplars(points: str) -> dict[str, str]:
    """The exporter's Exemplars columns."""
    return {
        "`Exemplars.FilteredAttributes`": FLAT.attribute_maps(f"{points}.filtered_attributes"),
        "`Exemplars.TimeUnix`": f"arrayMap(t -> {time('t')}, {points}.time_unix_nano)",
        "`Exemplars.Value`": "arrayMap((t, d, i) -> if(t = 'as_int', toFloat64(i), d), "
        f"{points}.value, {points}.as_double, {points}.as_int)",
        "`Exemplars.SpanId`": f"arrayMap(i -> {hex_id('i', 8)}, {points}.span_id)",
        "`Exemplars.TraceId`": f"arrayMap(i -> {hex_id('i', 16)}, {points}.trace_id)",
    }

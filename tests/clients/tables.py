"""Whole rows of the tables, in a form in which they can be compared with what was sent."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from store import Store
from tests.kit.otlp_reference import MEMBERS

Row = dict[str, Any]
# What the receiver and the store say of a row, and no client does.
BOOKKEEPING = {"InsertTime", "Batch", "SeriesHash"}
# Enums arrive in Arrow as their numbers.
TYPES = ("none", *MEMBERS)
VALUE_TYPES = {4: "as_double", 6: "as_int"}


def rows(store: Store, table: str, instance: str, order: str) -> list[Row]:
    """Every column of what one `service.instance.id` sent; times in nanoseconds, attributes as (type, text)."""
    found = store.arrow_text(
        f"SELECT * FROM {table} WHERE ResourceAttributes['service.instance.id'] = {{instance:String}} ORDER BY {order}",
        {"instance": instance},
    )
    columns = {name: _values(found[name]) for name in found.column_names if name not in BOOKKEEPING}
    return [_row({name: values[n] for name, values in columns.items()}) for n in range(found.num_rows)]


def _values(column: pa.ChunkedArray) -> list[Any]:
    kind = column.type
    inner = kind.value_type if pa.types.is_list(kind) else None
    if pa.types.is_timestamp(kind):
        column = column.cast(pa.int64())
    elif inner is not None and pa.types.is_timestamp(inner):
        column = column.cast(pa.list_(pa.int64()))
    values: list[Any] = column.to_pylist()
    if pa.types.is_map(kind):
        return [_map(value) for value in values]
    if inner is not None and pa.types.is_map(inner):
        return [[_map(value) for value in items] for items in values]
    return values


def _map(pairs: list[tuple[str, str]]) -> dict[str, str]:
    return {key: _canonical(text) for key, text in pairs}


def _row(row: Row) -> Row:
    """The row, with the types of attributes beside their texts."""
    for name in [name for name in row if name.endswith("AttributeTypes")]:
        attributes, types = name.removesuffix("Types") + "s", row.pop(name)
        pairs = row[attributes].items()
        row[attributes] = {key: (TYPES[kind], text) for kind, (key, text) in zip(types, pairs, strict=True)}
    if "Body" in row:
        row |= {"Body": _canonical(row["Body"]), "BodyType": TYPES[row["BodyType"]]}
    if "ValueType" in row:
        row["ValueType"] = VALUE_TYPES[row["ValueType"]]
    return row


def _canonical(text: str) -> str:
    """JSON of arrays and maps without spaces and with its keys in order; other text as it is."""
    if text[:1] not in {"[", "{"}:
        return text
    return json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))


def check(got: list[Row], want: list[Row]) -> None:
    """Assert that they are the same, naming each column that is not."""
    assert len(got) == len(want)
    absent = "no such column"
    found = [
        f"row {number}, {name}: {row.get(name, absent)!r} and not {wanted.get(name, absent)!r}"
        for number, (row, wanted) in enumerate(zip(got, want, strict=True))
        for name in sorted(row.keys() | wanted.keys())
        if row.get(name, absent) != wanted.get(name, absent)
    ]
    assert not found, "\n".join(found)

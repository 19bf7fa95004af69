"""The live schema as text: what drift tests and docs/schema.md are made from."""

from __future__ import annotations

import json

from store import Store

_COLUMNS = """SELECT table, name, type, default_kind, default_expression, is_in_sorting_key, is_in_partition_key
FROM system.columns WHERE database = currentDatabase() ORDER BY table, position"""
_TABLES = """SELECT name, engine, sorting_key, partition_key FROM system.tables
WHERE database = currentDatabase() AND name NOT LIKE '.inner%' ORDER BY name"""


def live_schema(store: Store) -> dict[str, dict[str, object]]:
    """Table -> engine, keys and columns, as the engine reports them."""
    tables = store.arrow_text(_TABLES).to_pylist()
    columns = store.arrow_text(_COLUMNS).to_pylist()
    return {
        table["name"]: {
            "engine": table["engine"],
            "order_by": table["sorting_key"],
            "partition_by": table["partition_key"],
            "columns": {
                column["name"]: " ".join(
                    filter(None, (column["type"], column["default_kind"], column["default_expression"]))
                )
                for column in columns
                if column["table"] == table["name"]
            },
        }
        for table in tables
    }


def as_json(schema: dict[str, dict[str, object]]) -> str:
    """The committed form."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"

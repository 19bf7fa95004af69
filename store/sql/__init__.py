"""Named queries, one per .sql file beside this module."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from store.errors import UnknownQuery

_OPTIONAL = re.compile(r"^-- if (\w+)\n(.*?)^-- end\n", re.MULTILINE | re.DOTALL)


def names() -> list[str]:
    """Every named query that ships with this version."""
    return sorted(p.name.removesuffix(".sql") for p in files(__package__).iterdir() if p.name.endswith(".sql"))


@cache
def load(name: str, *, clustered: bool = False) -> str:
    """Text of the named query; the one for clusters (store/sql/cluster) where nodes keep what it reads each for itself.

    Raises UnknownQuery when there is none of that name.
    """
    path = files(__package__).joinpath(f"{name}.sql")
    if clustered and (other := files(__package__).joinpath("cluster", f"{name}.sql")).is_file():
        path = other
    if not name.replace("_", "").isalnum() or not path.is_file():
        raise UnknownQuery(f"there is no named query {name!r}; known: {', '.join(names())}")
    return path.read_text(encoding="utf-8")


def asked(text: str, params: Mapping[str, Any]) -> str:
    """`text` without what stands between `-- if NAME` and `-- end` where the parameter NAME is empty or away.

    For conditions that mean "any" without a value: the engine analyses them in each query, whether they matter or not.
    """
    return _OPTIONAL.sub(lambda block: block[2] if params.get(block[1]) else "", text)

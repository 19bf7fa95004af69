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
    return sorted(_texts(""))


@cache
def _texts(folder: str) -> Mapping[str, str]:
    """All texts at once, with the first: one more open file, later, may be one more than the process has left."""
    found = [path for path in files(__package__).joinpath(folder).iterdir() if path.name.endswith(".sql")]
    return {path.name.removesuffix(".sql"): path.read_text(encoding="utf-8") for path in found}


def load(name: str, *, clustered: bool = False) -> str:
    """Text of the named query; the one for clusters (store/sql/cluster) where nodes keep what it reads each for itself.

    Raises UnknownQuery when there is none of that name.
    """
    elsewhere, texts = _texts("cluster"), _texts("")
    if clustered and name in elsewhere:
        return elsewhere[name]
    if name not in texts:
        raise UnknownQuery(f"there is no named query {name!r}; known: {', '.join(names())}")
    return texts[name]


def asked(text: str, params: Mapping[str, Any]) -> str:
    """`text` without what stands between `-- if NAME` and `-- end` where the parameter NAME is empty or away.

    For conditions that mean "any" without a value: the engine analyses them in each query, whether they matter or not.
    """
    return _OPTIONAL.sub(lambda block: block[2] if params.get(block[1]) else "", text)

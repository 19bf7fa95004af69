"""Mutations of JSON that stay JSON, or nearly: values of another kind, keys that are gone, doubled or misspelt."""

from __future__ import annotations

import json
import random
from typing import Any

_ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 2**31, 2**53 + 1, 2**63, 2**64, 1e300, "", "x", "1", "-1", "1e3", "NaN", "Infinity",
    str(2**64), "0x10", "é\u2028\U0001f600", "AAEC", "zz", [], {}, [[]], {"x": {}}, "9" * 400,
)  # fmt: skip
_TEXTS = (
    (b'"', b"'"), (b":", b"::"), (b",", b",,"), (b"}", b"}}"), (b"1", b"01"), (b"1", b"1e999"), (b"true", b"True"),
    (b"{", b"{/**/"), (b"e", b"\xff"), (b"e", b"\\ud800"), (b"e", b"\\u0000"), (b"null", b"NaN"), (b"0", b"-0"),
    (b"[", b"[" * 60), (b"{", b"\xef\xbb\xbf{"),
)  # fmt: skip


def mutated(document: Any, seed: int) -> bytes:
    """The document with one to three changes, as text; one in three is changed as a text, too."""
    choose = random.Random(seed)
    for _ in range(choose.randint(1, 3)):
        document = _changed(document, choose)
    text = json.dumps(document, separators=choose.choice(((",", ":"), (", ", ": ")))).encode()
    if choose.random() < 0.33:
        old, new = choose.choice(_TEXTS)
        text = text.replace(old, new, choose.randint(1, 3))
    return text


def _changed(node: Any, choose: random.Random) -> Any:
    """The node, with something in it or itself another."""
    if isinstance(node, dict) and node:
        key = choose.choice(list(node))
        if choose.random() < 0.75:
            return {**node, key: _changed(node[key], choose)}
        rest = {name: value for name, value in node.items() if name != key}
        snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in key)
        return choose.choice((rest, {**rest, snake: node[key]}, {**rest, key.upper(): node[key]}, {**node, "x": node}))
    if isinstance(node, list) and node:
        at = choose.randrange(len(node))
        if choose.random() < 0.75:
            return [*node[:at], _changed(node[at], choose), *node[at + 1 :]]
        return choose.choice((node[:at], node * 2, [node], [*node, None]))
    return choose.choice(_ODD)

"""label_replace and label_join, and the order of labels with numbers in them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import re2

from query.errors import BadQuery, QueryFailed
from query.promql.aggregate import valid_label
from query.promql.source import Match, Matcher
from query.promql.values import Labels, Vector, relabelled

_REFERENCE = re.compile(r"\$(?:\{(\w+)\}|(\w+)|(\$))", re.ASCII)


def replaced(vector: Vector, target: str, replacement: str, source: str, pattern: str) -> Vector:
    """label_replace: `target` becomes the replacement where the pattern matches the whole of `source`."""
    try:
        matcher = Matcher.of(source, Match.REGEX, pattern)
    except BadQuery as error:
        raise QueryFailed(f"invalid regular expression in label_replace(): {pattern}") from error
    if not valid_label(target):
        raise QueryFailed(f"invalid destination label name in label_replace(): {target}")

    def change(labels: Labels) -> Labels:
        found = matcher.pattern.fullmatch(labels.get(source, ""))
        if found is None:
            return labels
        return _set(labels, target, _expanded(replacement, found))

    return relabelled(vector, change)


def _expanded(template: str, found: re2.Match) -> str:
    """Go's Regexp.Expand: `$1`, `${1}`, `$name`; what there is not is empty."""

    def one(reference: re.Match[str]) -> str:
        if reference[3]:
            return "$"
        name = reference[1] or reference[2]
        try:
            return found.group(int(name) if name.isdigit() else name) or ""
        except (IndexError, KeyError):
            return ""

    return _REFERENCE.sub(one, template)


def joined(vector: Vector, target: str, separator: str, sources: Sequence[str]) -> Vector:
    """label_join: `target` becomes the sources' values, joined."""
    for name in sources:
        if not valid_label(name):
            raise QueryFailed(f"invalid source label name in label_join(): {name}")
    if not valid_label(target):
        raise QueryFailed(f"invalid destination label name in label_join(): {target}")
    return relabelled(
        vector, lambda labels: _set(labels, target, separator.join(labels.get(name, "") for name in sources))
    )


def _set(labels: Labels, name: str, value: str) -> Labels:
    out = dict(labels)
    if value:
        out[name] = value
    else:
        out.pop(name, None)
    return out


def natural(text: str) -> list[tuple[int, int, str]]:
    """A key that sorts `a2` before `a10`."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.findall(r"[0-9]+|[^0-9]+", text)]

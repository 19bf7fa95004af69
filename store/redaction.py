"""The redaction policy as the engine reads it: one row of patterns, which the redacting views take as constants.

Patterns must be constants to be fast, and views must not be made anew for each policy: so a view reads the row
through a scalar subquery, which the engine evaluates once per insert. What the columns mean is in
migrations/0016_admission.sql.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from store.client import Store

# Places for rules in the views. A place without a rule costs a moment per text, and only in what is suspected.
TEXT_SLOTS = 32
HASH_SLOTS = 2
KEY_SLOTS = 8
EVENT_SLOTS = 2
# Matches nothing at all.
NOTHING = r"[^\x00-\x{10FFFF}]"
_NO_TEXT, _NO_HASH = f"(){NOTHING}()", f"()({NOTHING})()"


@dataclass(frozen=True, slots=True)
class Compiled:
    """Rules by kind; lists of a kind are in step.

    `scan` matches the bytes of messages in which some rule finds something. Patterns of texts keep their first and
    their last group.
    """

    scan: str
    text_names: Sequence[str]
    text_patterns: Sequence[str]
    text_marks: Sequence[str]
    hash_names: Sequence[str]
    hash_patterns: Sequence[str]
    key_names: Sequence[str]
    key_patterns: Sequence[str]
    key_actions: Sequence[str]
    event_names: Sequence[str]
    event_patterns: Sequence[str]
    event_actions: Sequence[str]

    @property
    def version(self) -> str:
        """A name for exactly these rules."""
        return hashlib.blake2b(json.dumps(asdict(self)).encode(), digest_size=8).hexdigest()


def publish(store: Store, policy: Compiled) -> None:
    """Make `policy` the one that the views apply from the next insert on. Raises StoreError."""
    row = {
        "Version": policy.version,
        "Scan": policy.scan or NOTHING,
        "Any": "|".join((*policy.text_patterns, *policy.hash_patterns)) or NOTHING,
        **_padded("Text", TEXT_SLOTS, policy.text_names, policy.text_patterns, _NO_TEXT),
        "TextMarks": _filled([f"\\1{_literal(mark)}\\2" for mark in policy.text_marks], TEXT_SLOTS, ""),
        **_padded("Hash", HASH_SLOTS, policy.hash_names, policy.hash_patterns, _NO_HASH),
        "KeyAny": "|".join(policy.key_patterns) or NOTHING,
        **_padded("Key", KEY_SLOTS, policy.key_names, policy.key_patterns),
        "KeyActions": _filled(policy.key_actions, KEY_SLOTS, ""),
        **_padded("Event", EVENT_SLOTS, policy.event_names, policy.event_patterns),
        "EventActions": _filled(policy.event_actions, EVENT_SLOTS, ""),
    }
    current = store.rows("redaction_policy_version")
    if not current or current[0]["Version"] != policy.version:
        store.insert_bytes("redaction_policy", json.dumps(row).encode(), "JSONEachRow", {"async_insert": 0})


def _padded(
    kind: str, slots: int, names: Sequence[str], patterns: Sequence[str], nothing: str = NOTHING
) -> dict[str, list[str]]:
    return {f"{kind}Names": _filled(names, slots, ""), f"{kind}Patterns": _filled(patterns, slots, nothing)}


def _filled(values: Sequence[str], slots: int, rest: str) -> list[str]:
    if len(values) > slots:
        raise ValueError(f"{len(values)} rules, and there is room for {slots}")
    return [*values, *[rest] * (slots - len(values))]


def _literal(mark: str) -> str:
    """A mark inside a replacement, where a backslash would be a reference."""
    return mark.replace("\\", "\\\\")

"""The redaction policy: which texts, attributes and event bodies never reach the store as they came.

A policy file is TOML. Ready-made rules are in redaction_rules.toml, in the same format. A pattern is an RE2
pattern over bytes (https://github.com/google/re2/wiki/Syntax): linear time, whatever it meets.
"""

from __future__ import annotations

import re
import tomllib
from enum import StrEnum
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import re2
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ingest.errors import BadPolicy
from ingest.redaction_key import RedactionKey
from store.redaction import EVENT_SLOTS, HASH_SLOTS, KEY_SLOTS, TEXT_SLOTS, Compiled

ALWAYS_ON = "credentials"
_MOST_BYTES = 256 * 1024
# What redacted text says instead; counted by it, and never redacted again.
_MARK = "[redacted:{}]"
# The value of a key in JSON: a string, an array of plain values, or what is left. An object stays readable.
_JSON_VALUE = r'(?:"(?:[^"\\]|\\.)*"|\[[^\[\]{}]*\]|[^\s"\[\]{},]+)'

Pattern = Annotated[str, Field(min_length=1, max_length=2000)]


class Action(StrEnum):
    """What happens to what a rule finds."""

    MASK = "mask"
    HASH = "hash"
    DROP = "drop"


class Rule(BaseModel):
    """One rule. `text` is looked for in every text, `keys` among attribute keys, `events` among event names of logs."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")
    set_name: str = Field(default="", alias="set", pattern=r"^[a-z0-9-]{0,40}$")
    text: Pattern | None = None
    before: Pattern | None = None
    after: Pattern | None = None
    keys: Pattern | None = None
    events: Pattern | None = None
    action: Action = Action.MASK

    @model_validator(mode="after")
    def _checked(self) -> Rule:
        if sum(pattern is not None for pattern in (self.text, self.keys, self.events)) != 1:
            raise ValueError("a rule has one of text, keys and events")
        if self.text is None and (self.before is not None or self.after is not None):
            raise ValueError("before and after belong to text")
        if self.action is Action.DROP and self.text is not None:
            raise ValueError("drop is for attributes and event bodies; a text can be masked or hashed")
        for part in ("text", "before", "after", "keys", "events"):
            pattern = getattr(self, part)
            if pattern is not None:
                _check(part, pattern)
        if self.text is not None and re2.compile(self.text.encode(), _quiet()).search(b""):
            raise ValueError("text must not match nothing at all")
        return self

    @property
    def mark(self) -> str:
        """What stands where something was."""
        return _MARK.format(self.name)

    @property
    def whole(self) -> str:
        """The pattern of a text rule: what is kept before and after are its first and its last group."""
        found = "(" if self.action is Action.HASH else "(?:"
        return f"({self.before or ''}){found}{self.text})({self.after or ''})"

    @property
    def key(self) -> str:
        """The pattern of a key or event rule, for a whole name."""
        return f"^(?:{self.keys or self.events})$"

    @property
    def in_json(self) -> str:
        """The pattern of a key rule's keys with their values in JSON text, as nested values are stored."""
        return f'("(?:{_within_quotes(_without_assertions(self.keys or ""))})":)(?:{_JSON_VALUE})()'


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: Literal[1]
    on: list[str] = []
    off: list[str] = []
    rule: list[Rule] = []


class Policy(BaseModel):
    """The rules in force."""

    model_config = ConfigDict(frozen=True)

    rules: tuple[Rule, ...]

    def compiled(self) -> Compiled:
        """The policy as the store's views read it."""
        texts = [rule for rule in self.rules if rule.text is not None]
        keys = [rule for rule in self.rules if rule.keys is not None]
        events = [rule for rule in self.rules if rule.events is not None]
        masks = [rule for rule in texts if rule.action is Action.MASK]
        hashes = [rule for rule in texts if rule.action is Action.HASH]
        return Compiled(
            scan=self.scan_pattern(),
            text_names=[rule.name for rule in masks] + [rule.name for rule in keys],
            text_patterns=[rule.whole for rule in masks] + [rule.in_json for rule in keys],
            text_marks=[rule.mark for rule in masks] + [f'"{rule.mark}"' for rule in keys],
            hash_names=[rule.name for rule in hashes],
            hash_patterns=[rule.whole for rule in hashes],
            key_names=[rule.name for rule in keys],
            key_patterns=[rule.key for rule in keys],
            key_actions=[rule.action.value for rule in keys],
            event_names=[rule.name for rule in events],
            event_patterns=[rule.key for rule in events],
            event_actions=[rule.action.value for rule in events],
        )

    def scan_pattern(self, *, symbols: bool = False) -> str:
        """A pattern that matches the bytes of every request in which some rule finds something.

        A text lies in one piece in a request; the pattern leaves out what holds at a text's edges only. A key
        is a KeyValue's field 1 and its value field 2, in this order in every encoder, and a record's event name
        is field 12 or an attribute (https://protobuf.dev/programming-guides/encoding/). With `symbols` a key is one of
        a remote-write 2.0 request's symbols, field 4, before another, a series or the end; it has no events.
        """
        parts = []
        for rule in self.rules:
            if rule.text is not None:
                parts.append(_without_assertions(f"(?:{rule.before or ''})(?:{rule.text})(?:{rule.after or ''})"))
            elif rule.keys is not None and symbols:
                parts.append(rf"\x22\C{{1,2}}(?:{_without_assertions(rule.keys)})(?:[\x22\x2a]|\z)")
            elif rule.keys is not None:
                parts.append(rf"\x0a\C{{1,2}}(?:{_without_assertions(rule.keys)})\x12")
            elif not symbols:
                parts.append(rf"(?:\x62\C{{1,2}}|event\.name\x12\C{{3,6}})(?:{_without_assertions(rule.events or '')})")
        return "|".join(f"(?:{part})" for part in parts)


def load(path: Path | None) -> Policy:
    """The policy of a file, or the built-in one; raises BadPolicy with one sentence that says what is wrong."""
    ready = _ready_made()
    given = _File(version=1) if path is None else _parsed(_text(path), f"the redaction policy {path}")
    what = f"the redaction policy {path}"
    known = {rule.name for rule in ready} | {rule.set_name for rule in ready}
    for name in (*given.on, *given.off):
        if name not in known:
            raise BadPolicy(
                f"{what}: there is no ready-made rule or set {name!r}; there are {', '.join(sorted(known))}"
            )
    wanted = [
        rule
        for rule in ready
        if (rule.set_name == ALWAYS_ON or not {rule.name, rule.set_name}.isdisjoint(given.on))
        and {rule.name, rule.set_name}.isdisjoint(given.off)
    ]
    # The file's own rules come first: what they hash must not have been masked before.
    policy = Policy(rules=(*given.rule, *wanted))
    names = [rule.name for rule in policy.rules]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise BadPolicy(f"{what}: two rules are named {twice[0]!r}")
    compiled = policy.compiled()
    for kind, patterns, most in (
        ("text and keys", compiled.text_patterns, TEXT_SLOTS),
        ("hashed text", compiled.hash_patterns, HASH_SLOTS),
        ("keys", compiled.key_patterns, KEY_SLOTS),
        ("events", compiled.event_patterns, EVENT_SLOTS),
    ):
        if len(patterns) > most:
            raise BadPolicy(f"{what}: {len(patterns)} rules for {kind}, and there is room for {most}")
    return policy


def check(path: Path | None, key_file: Path | None) -> None:
    """Raises BadPolicy unless the policy, and the key its hashing rules need, can be used."""
    policy = load(path)
    hashing = [rule.name for rule in policy.rules if rule.action is Action.HASH]
    if hashing and key_file is None:
        raise BadPolicy(f"the redaction policy {path}: rule {hashing[0]!r} hashes, which needs a redaction_key_file")
    if key_file is not None:
        RedactionKey.read(key_file)


@cache
def _ready_made() -> tuple[Rule, ...]:
    text = files("ingest").joinpath("redaction_rules.toml").read_text(encoding="utf-8")
    return tuple(_parsed(text, "the built-in redaction rules").rule)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise BadPolicy(f"the redaction policy {path} is larger than {_MOST_BYTES // 1024} KiB")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadPolicy(f"the redaction policy {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise BadPolicy(f"the redaction policy {path} is not UTF-8 text") from None


def _parsed(text: str, what: str) -> _File:
    try:
        content: dict[str, Any] = tomllib.loads(text)
        return _File.model_validate(content)
    except tomllib.TOMLDecodeError as error:
        raise BadPolicy(f"{what} is not TOML: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        rules = content.get("rule")
        if first["loc"][:1] == ("rule",) and len(first["loc"]) > 1 and isinstance(rules, list):
            rule = rules[int(first["loc"][1])]
            named = rule.get("name") if isinstance(rule, dict) else None
            where = f"rule {named!r}" + "".join(f", {step}" for step in first["loc"][2:])
        message = first["msg"].removeprefix("Value error, ")
        raise BadPolicy(f"{what}: {where}: {message}") from None


def _quiet() -> re2.Options:
    """Bytes, as the engine matches; nothing on standard error for a pattern that is refused."""
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.log_errors = False
    return options


def _check(part: str, pattern: str) -> None:
    if not pattern.isascii() or not pattern.isprintable():
        raise ValueError(f"{part}: a pattern is printable ASCII")
    try:
        groups = re2.compile(pattern.encode(), _quiet()).groups
    except re2.error as error:
        reason = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
        raise ValueError(f"{part}: not an RE2 pattern: {reason}") from None
    if r"\Q" in pattern:
        raise ValueError(f"{part}: \\Q...\\E is not allowed; escape the characters one by one")
    if groups:
        raise ValueError(f"{part}: groups must be (?:...), because the parentheses of others are counted")


# An escape, a character class, or an anchor; (?: (?i: (?P< and the like pass as single characters do.
_TOKEN = re.compile(r"\\[AzbB]|\\.|\[\^?\]?(?:\\.|\[:\w+:\]|[^\]\\])*\]|[\^$]|.", re.DOTALL)


def _without_assertions(pattern: str) -> str:
    """The pattern without what looks at a place and takes no character: it matches the same, and more."""
    return "".join(
        "" if token in {"^", "$", r"\A", r"\z", r"\b", r"\B"} else token for token in _TOKEN.findall(pattern)
    )


def _within_quotes(pattern: str) -> str:
    """The pattern, kept from running over the quote at a JSON key's end."""
    wide = {".": r'[^"]', r"\S": r'[^\s"]', r"\D": r'[^\d"]', r"\W": r'[^\w"]', r"\C": r'[^"]'}
    tokens = (
        f'[^"{token[2:]}' if token.startswith("[^") else wide.get(token, token) for token in _TOKEN.findall(pattern)
    )
    return "".join(tokens)

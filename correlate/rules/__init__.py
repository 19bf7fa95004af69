"""The built-in rules, in the order in which they run."""

from __future__ import annotations

from correlate.rule import Rule

RULES: tuple[Rule, ...] = ()

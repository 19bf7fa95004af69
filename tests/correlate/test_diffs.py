"""Diffs: what counts as changed, and what changes no behaviour."""

from __future__ import annotations

import polars as pl
import pytest

from correlate.diffs import behaviour, change_terms

GUARD_REMOVED = """simplify the limiter ops@x services/front/limit.go @@ services/front/limit.go @@
-\tl.mu.Lock()
-\tdefer l.mu.Unlock()
 \tl.counts[clientID]++"""
CONSTANT = """tidy defaults pkg/db/pool.go @@ pkg/db/pool.go @@
-const defaultMaxConns = 50
+const defaultMaxConns = 10"""
MOVED = """extract helper pkg/auth/parse.go @@ pkg/auth/parse.go @@
-	token, err := parse.WithClaims(raw, claims, keyFunc)
-	claims := parse.MapClaims(raw)
+func helper(raw string) {
+	claims := parse.MapClaims(raw)
+	token, err := parse.WithClaims(raw, claims, keyFunc)
+}"""
LOGGING = """more logs src/leader.cpp @@ src/leader.cpp @@
-    LOG_DEBUG(log, "leader elected term={}", term);
+    LOG_INFO(log, "leader elected term={} node={}", term, node);"""
COMMENT = "explain pkg/a.py @@ pkg/a.py @@\n-# the pool\n+# the pool of connections"
PATCH = "bump deps go.mod @@ go.mod @@\n-\tgithub.com/x/pgx/v5 v5.5.4\n+\tgithub.com/x/pgx/v5 v5.5.5"
MINOR = "bump deps go.mod @@ go.mod @@\n-\tgoogle.golang.org/protobuf v1.31.0\n+\tgoogle.golang.org/protobuf v1.34.2"
TESTS = "cover retries ['pkg/retry/backoff_test.go']"
WORDS = "Feature flag new_cache changed from off to on"


def change(words: str) -> pl.DataFrame:
    return pl.DataFrame({"id": ["c"], "words": [words]})


@pytest.mark.parametrize("words", [GUARD_REMOVED, CONSTANT, MINOR, WORDS])
def test_what_alters_behaviour_counts_in_full(words: str) -> None:
    assert behaviour(change(words))["behaves"].to_list() == [1.0]


@pytest.mark.parametrize("words", [MOVED, LOGGING, COMMENT, PATCH, TESTS])
def test_what_moves_explains_logs_or_tests_counts_less(words: str) -> None:
    assert behaviour(change(words))["behaves"].to_list()[0] <= 0.5


def test_a_removed_word_weighs_more_than_one_that_came_back_or_stood_by() -> None:
    weights = dict(change_terms(change(GUARD_REMOVED)).select("term", "weight").rows())
    assert weights["unloc"] > weights["limit"] > weights["count"]
    moved = dict(change_terms(change(MOVED)).select("term", "weight").rows())
    assert moved["claim"] < weights["unloc"]


def test_without_a_diff_what_is_said_counts_in_full() -> None:
    assert dict(change_terms(change(WORDS)).select("term", "weight").rows())["cach"] == 1.0

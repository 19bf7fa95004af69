"""What a change changed: the terms of its text, weighed by whether a fault can come of them.

A change brings a text: a title, files, and often a unified diff. What counts is what is different afterwards. A word
that left with one line and came back with another was moved; a comment, a log statement or a test does not run where
the fault is; a library's patch release promises to behave as before. What was removed for good, a constant that has
another value and code that was not there can break something.
Sources: https://www.gnu.org/software/diffutils/manual/html_node/Detailed-Unified.html, https://semver.org/#spec-item-6
"""

from __future__ import annotations

import polars as pl

# Of terms: in what changed, in what is said about it, in what was only moved, in lines around it.
_CHANGED, _SAID, _MOVED, _AROUND = 1.0, 0.6, 0.3, 0.2
_INERT, _PATCH, _MOVED_ONLY = 0.2, 0.4, 0.5
# So much of what was removed must be back, and so little of what came be new, for a change to have moved it only.
_BACK, _LEAST_REMOVED, _NOVEL = 0.85, 4, 0.5

_LINE = r"^[+-](?:[^+-]|$)"
_COMMENT = r"^[+-]\s*(?:$|//|#|/?\*|--\s|;|<!--)"
_LOGGING = (
    r"(?i)^[+-].*\b(?:(?:log(?:ger|ging)?(?:_\w+)?|slog|console|print(?:f|ln)?|span|tracer|meter|metrics_?)\s*[.(]"
    r"|prometheus|\w*(?:counter|histogram|gauge)\b|\w+\.(?:inc|observe|setattributes?)\()"
)
_PIN = r"(?:[\w.@/-]+)[\s:=@\"'^~<>]+v?(\d+\.\d+)\.(\d+)\S*\s*$"
_PATH = r"[\w.-]*(?:/[\w.-]+)+|\b[\w-]+\.(?:md|txt|ya?ml|json|toml|go|mod|sum|py|js|ts|java|sql)\b|\bCODEOWNERS\b"
_NO_CODE = r"(?i)(?:^|/)(?:tests?|testdata|docs?|\.github)/|_test\.|\btest_|\.md$|CODEOWNERS|readme"
_NUMBER = r"^\d"
# What is in every diff, log and metric of every system.
_COMMON = (
    "above", "after", "all", "and", "any", "are", "async", "before", "bool", "bump", "but", "byte", "call", "can",
    "case", "chang", "class", "client", "const", "contex", "ctx", "def", "deploy", "durati", "end", "err", "error",
    "fail", "false", "featur", "file", "flag", "float", "follow", "for", "format", "from", "func", "functi", "get",
    "handl", "has", "host", "http", "https", "impor", "int", "into", "json", "let", "line", "list", "log", "logg",
    "main", "max", "metho", "metri", "min", "name", "never", "new", "nil", "not", "nothi", "now", "null", "object",
    "off", "one", "option", "order", "out", "packa", "per", "post", "priva", "public", "rate", "ratio", "refac",
    "req", "reque", "res", "resp", "respon", "retur", "sampl", "secon", "self", "serv", "servi", "set", "shift",
    "simpl", "statu", "str", "strin", "struc", "text", "that", "the", "this", "tidy", "time", "too", "trace", "true",
    "try", "two", "type", "upstr", "url", "use", "used", "usuall", "val", "valu", "var", "void", "warn", "was",
    "with", "write", "yet", "you", "above", "call", "conte", "depl", "dura", "fea", "feat", "fix", "chore",
)  # fmt: skip
_STEM = 5
_COMMON_STEMS = sorted({word[:_STEM] for word in _COMMON})
_ENDINGS = r"(?:ations?|tions?|ings?|ors?|ers?|ed|es|s|y|e)$"


def terms(text: pl.Expr) -> pl.Expr:
    """Distinct terms of a text: words with camelCase and snake_case taken apart, endings cut, stop words left out."""
    return _stems(text, r"[a-z]{3,}").list.eval(pl.element().filter(~pl.element().is_in(_COMMON_STEMS))).list.unique()


def _stems(text: pl.Expr, pattern: str) -> pl.Expr:
    """Terms of a text in order and as often as they occur: expire, expiry and expired meet, as do retry and retries."""
    apart = text.str.replace_all(r"([a-z0-9])([A-Z])", "${1} ${2}").str.to_lowercase()
    word = pl.element()
    stem = word.str.replace(r"ies$", "y").str.replace(r"^(.{3,}?)" + _ENDINGS, "${1}").str.slice(0, _STEM)
    return apart.str.extract_all(pattern).list.eval(pl.when(word.str.contains(_NUMBER)).then(word).otherwise(stem))


def change_terms(changes: pl.DataFrame) -> pl.DataFrame:
    """(id, term, weight) of changes given as (id, words); weight says how much a term is about what changed."""
    lines = _lines(changes)
    split = (
        lines.with_columns(term=_stems(pl.col("line"), r"[a-z]{3,}"))
        .explode("term", empty_as_null=False)
        .filter(pl.col("term").is_not_null(), ~pl.col("term").is_in(_COMMON_STEMS))
    )
    sign = pl.when(pl.col("line").str.starts_with("+")).then(1).otherwise(-1)
    code = (
        split.filter(pl.col("part") == "code")
        .group_by("id", "term")
        .agg(net=sign.sum())
        .select("id", "term", weight=pl.when(pl.col("net") != 0).then(_CHANGED).otherwise(_MOVED))
    )
    # With no diff, what is said is all there is.
    said = split.filter(pl.col("part") == "said").select(
        "id", "term", weight=pl.when(pl.col("has_diff")).then(_SAID).otherwise(_CHANGED)
    )
    around = split.filter(pl.col("part") == "around").select("id", "term", weight=pl.lit(_AROUND))
    return pl.concat([code, said, around]).group_by("id", "term").agg(pl.max("weight")).sort("id", "term")


def changed_text(changes: pl.DataFrame) -> pl.DataFrame:
    """(id, text): what each change changed, without what only surrounds it; all of its text where it has no diff.

    Names in it are told a second time with camelCase and snake_case taken apart.
    """
    line = pl.col("line")
    apart = line.str.replace_all(r"([a-z0-9])([A-Z])", "${1} ${2}").str.replace_all("_", " ")
    return (
        _lines(changes)
        .filter((pl.col("part") == "code") | ~pl.col("has_diff"))
        .with_columns(line=pl.concat_str(line, apart, separator="\n"))
        .group_by("id", maintain_order=True)
        .agg(text=line.str.join("\n"))
    )


def behaviour(changes: pl.DataFrame) -> pl.DataFrame:
    """(id, behaves): 1 where a change alters what the software does, less where it moves, explains, tests or logs."""
    lines = _lines(changes)
    code = lines.filter(pl.col("part") == "code")
    tokens = (
        code.with_columns(token=_stems(pl.col("line").str.slice(1), r"[a-z]{3,}|\d+[a-z%]*"))
        .explode("token", empty_as_null=False)
        .drop_nulls("token")
        .group_by("id", "token")
        .agg(
            gone=pl.col("line").str.starts_with("-").sum(),
            come=pl.col("line").str.starts_with("+").sum(),
        )
    )
    number = pl.col("token").str.contains(_NUMBER)
    moved = tokens.group_by("id").agg(
        back=pl.min_horizontal("gone", "come").sum() / pl.col("gone").sum(),
        gone=pl.col("gone").sum(),
        constants=(number & (pl.col("gone") != pl.col("come"))).any(),
        novel=((pl.col("come") > 0) & (pl.col("gone") == 0)).sum() / (pl.col("come") > 0).sum(),
    )
    pins = (
        code.with_columns(
            release=pl.col("line").str.extract(_PIN, 1), patch=pl.col("line").str.extract(_PIN, 2), added=_added()
        )
        .group_by("id")
        .agg(
            all_pins=pl.col("release").is_not_null().all(),
            come=pl.col("release").filter("added").sort(),
            went=pl.col("release").filter(~pl.col("added")).sort(),
        )
        .select("id", patch=pl.col("all_pins") & (pl.col("come") == pl.col("went")))
    )
    about = changes.select(
        "id",
        paths=pl.col("words").str.split("\n").list.first().str.extract_all(_PATH),
        has_diff=pl.col("words").str.contains("(?m)" + _LINE),
    ).with_columns(
        no_code=(pl.col("paths").list.len() > 0)
        & pl.col("paths").list.eval(pl.element().str.contains(_NO_CODE)).list.all()
    )
    same = (pl.col("back") >= _BACK) & (pl.col("novel") <= _NOVEL)
    only_moved = same & (pl.col("gone") >= _LEAST_REMOVED) & ~pl.col("constants")
    inert = pl.col("no_code") | (pl.col("has_diff") & pl.col("gone").is_null())
    return (
        about.join(moved, on="id", how="left")
        .join(pins, on="id", how="left")
        .select(
            "id",
            behaves=pl.when(inert)
            .then(_INERT)
            .when(pl.col("patch"))
            .then(_PATCH)
            .when(only_moved)
            .then(_MOVED_ONLY)
            .otherwise(1.0),
        )
    )


def _added() -> pl.Expr:
    return pl.col("line").str.starts_with("+")


def _lines(changes: pl.DataFrame) -> pl.DataFrame:
    """(id, line, part, has_diff): each line of each change; part is code, said (titles, comments) or around."""
    line = pl.col("line")
    changed = line.str.contains(_LINE)
    return (
        changes.select("id", line=pl.col("words").str.split("\n"))
        .with_columns(has_diff=pl.col("line").list.eval(pl.element().str.contains(_LINE)).list.any())
        .with_columns(at=pl.int_ranges(pl.col("line").list.len()))
        .explode("line", "at", empty_as_null=False)
        .with_columns(
            part=pl.when(changed & line.str.contains(_COMMENT))
            .then(pl.lit("said"))
            .when(changed & line.str.contains(_LOGGING))
            .then(pl.lit("around"))
            .when(changed)
            .then(pl.lit("code"))
            .when((pl.col("at") == 0) | ~pl.col("has_diff") | line.str.contains(r"^(?:\+\+\+|---)"))
            .then(pl.lit("said"))
            .otherwise(pl.lit("around"))
        )
    )

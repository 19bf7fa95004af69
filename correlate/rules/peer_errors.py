"""Other systems that error lines blame.

Signal: dependency.failing, dependency.certificate and dependency.names on the dependency or service that lines name.
Condition: at least two lines at WARN or above name a host or a service they called and say that it answered with a
server error or not at all, that its certificate is not valid, or that its name cannot be resolved. Names of
several hosts, or a name server that fails, are the name server's fault and not the hosts'. A service that sends spans
speaks for itself, and what callers say of a system all the time says nothing.
Why it matters: what runs outside, or says nothing itself, is known only by what its callers say of it; without a
signal it could never be named as the cause.
Source: https://www.rfc-editor.org/rfc/rfc9110#name-server-error-5xx , https://www.rfc-editor.org/rfc/rfc5280#section-4.1.2.5
and https://kubernetes.io/docs/tasks/administer-cluster/dns-debugging-resolution/
"""

from __future__ import annotations

import polars as pl

from correlate import names
from correlate.frames import Frames
from correlate.peers import CERTIFICATE, FAILS, HOST, NAMES
from correlate.rule import Rule
from correlate.sessions import evidence_of, sessions
from correlate.templates import WARN, level, message, readable

_WORD = r"[A-Za-z][A-Za-z0-9_]*(?:-[A-Za-z0-9_]+)*"
_NAME_SERVER = r"(?i)(?:^|[-_.])(?:core|kube|node-?local|cluster)-?dns|^dns$|^(?:unbound|dnsmasq|named|bind9?)$"
_SHORTEST, _FAMILY = 5, 3
_LEAST_LINES = 2
_SAMPLES = 3
# So many stretches of five minutes, older than a fault that may still go on, make a habit.
_USUAL_STRETCHES, _RECENT_S = 3, 900
# A few spans, kept because they failed, say nothing of what is usual.
_LEAST_SPANS = 20
# Two callers that blame the same are surer than one that repeats itself.
_SCORE, _PER_CALLER, _MOST = 5.0, 1.0, 8.0


def _blaming(frames: Frames) -> pl.LazyFrame:
    """`time, caller, text, kind`: warnings and errors of services that tell of another system's failure."""
    text = message()
    kind = (
        pl.when(text.str.contains(CERTIFICATE))
        .then(pl.lit("dependency.certificate"))
        .when(text.str.contains(NAMES))
        .then(pl.lit("dependency.names"))
        .when(text.str.contains(FAILS))
        .then(pl.lit("dependency.failing"))
    )
    return (
        frames["logs"]
        .filter(pl.col("service") != "")
        .unique(subset=["service", "pod", "container", "trace_id", "span_id", "time", "body"], keep="any")
        .filter(level() >= WARN)
        .select("time", caller="service", text=text, kind=kind)
        .filter(pl.col("kind").is_not_null())
    )


def _known(frames: Frames) -> pl.LazyFrame:
    """(name, said): our services, and what lines may call them: their name, or its first part if few share it."""
    own = frames["logs"].filter(pl.col("service") != "").select(name="service").unique().with_columns(said="name")
    first = own.with_columns(said=pl.col("name").str.split("-").list.first()).filter(
        pl.col("said") != pl.col("name"), pl.col("said").str.len_chars() >= _SHORTEST, pl.len().over("said") <= _FAMILY
    )
    whole = own.select(said="name")
    return pl.concat([own, first.join(whole, on="said", how="anti")])


def _named(blaming: pl.LazyFrame, known: pl.LazyFrame) -> pl.LazyFrame:
    """One row per line and whom it names: `entity_type, entity`; hosts of our own services are these services."""
    hosts = blaming.with_columns(host=pl.col("text").str.extract(HOST, 1).str.to_lowercase())
    first = pl.col("host").str.split(".").list.first()
    ours = (
        known.filter(pl.col("said") == pl.col("name"))
        .select(label=pl.col("name").str.to_lowercase(), own="name")
        .sort("own")
        .unique(subset="label", keep="first", maintain_order=True)
    )
    remote = (
        hosts.filter(pl.col("host").is_not_null())
        .with_columns(label=first)
        .join(ours, on="label", how="left")
        .select(
            "time", "caller", "text", "kind", "host",
            entity_type=pl.when(pl.col("own").is_not_null()).then(pl.lit("service")).otherwise(pl.lit("dependency")),
            entity=pl.coalesce("own", "host"),
        )
    )  # fmt: skip
    spoken = (
        hosts.filter(pl.col("host").is_null())
        .with_columns(said=pl.col("text").str.extract_all(_WORD).list.unique())
        .explode("said", empty_as_null=False)
        .join(known, on="said")
        .select("time", "caller", "text", "kind", "host", entity_type=pl.lit("service"), entity="name")
        .unique()
    )
    return pl.concat([remote, spoken]).filter(
        (pl.col("entity_type") != "service") | (pl.col("entity") != pl.col("caller"))
    )


def _servers(frames: Frames) -> pl.LazyFrame:
    """(entity_type, entity), one row: the name server of the cluster, nulls when none is seen.

    Most name servers have no SDK: scrapes name their service, and pods their workload.
    """
    services = [frames[name].select(entity="service") for name in ("logs", "metric_series")]
    owners = [
        frames[name].select("pod").unique().select(entity=names.owner("pod")) for name in ("logs", "metric_series")
    ]
    found = pl.concat(
        [
            *(part.with_columns(rank=pl.lit(0), entity_type=pl.lit("service")) for part in services),
            *(part.with_columns(rank=pl.lit(1), entity_type=pl.lit("workload")) for part in owners),
        ]
    ).filter(pl.col("entity").str.contains(_NAME_SERVER))
    return found.unique().sort("rank", "entity").select(pl.col("entity_type", "entity").first())


def _name_servers(blaming: pl.LazyFrame, frames: Frames) -> pl.LazyFrame:
    """Lines about names, told of the name server: the service or workload that is one, else `cluster-dns`."""
    about = blaming.filter(pl.col("kind") == "dependency.names").with_columns(
        host=pl.col("text").str.extract(HOST, 1).str.to_lowercase(),
    )
    return about.join(_servers(frames), how="cross").select(
        "time", "caller", "text", "kind", "host",
        entity_type=pl.coalesce("entity_type", pl.lit("dependency")),
        entity=pl.coalesce("entity", pl.lit("cluster-dns")),
    )  # fmt: skip


def _speaking(frames: Frames) -> pl.LazyFrame:
    """Services whose spans say how they answer: what callers make of it in their lines is second-hand."""
    spans = frames["spans"].filter(pl.col("service") != "").group_by(entity="service").len()
    return spans.filter(pl.col("len") >= _LEAST_SPANS).select(
        "entity", entity_type=pl.lit("service"), kind=pl.lit("dependency.failing")
    )


def _usual(seen: pl.LazyFrame, frames: Frames) -> pl.LazyFrame:
    """What was said of a system in several stretches of its past: always-on evidence says nothing."""
    past = seen.filter(pl.col("time") < frames.start - pl.duration(seconds=_RECENT_S))
    return past.group_by("kind", "entity_type", "entity").len().filter(pl.col("len") >= _USUAL_STRETCHES)


def detect(frames: Frames) -> pl.LazyFrame:
    """Signals of blamed systems; the evidence names who blames them."""
    blaming, known = _blaming(frames), _known(frames)
    # One name that does not resolve may be a wrong name; several callers or names are the name server.
    unnamed = _name_servers(blaming, frames).filter((pl.col("host").n_unique() > 1) | (pl.col("caller").n_unique() > 1))
    rows = pl.concat([_named(blaming.filter(pl.col("kind") != "dependency.names"), known), unnamed])
    by = ["kind", "entity_type", "entity"]
    minute = pl.col("time").dt.truncate("5m")
    callers = pl.col("caller").filter(pl.col("caller") != pl.col("entity"))
    seen = rows.with_columns(_minute=minute).group_by(*by, "_minute").agg(
        pl.col("time").min().alias("onset"),
        pl.col("time").max().alias("time"),
        callers.unique().sort().alias("callers"),
        pl.len().alias("lines"),
        pl.col("text").sort_by("time", "text").head(_SAMPLES).str.slice(0, 200).alias("samples"),
    )  # fmt: skip
    seen = seen.join(_speaking(frames), on=by, how="anti").join(_usual(seen, frames), on=by, how="anti")
    facts = seen.filter((pl.col("lines") >= _LEAST_LINES) | (pl.col("callers").list.len() > 1)).select(
        *by, "time", "onset",
        score=(_SCORE + _PER_CALLER * (pl.col("callers").list.len() - 1.0)).clip(_SCORE, _MOST),
        value=pl.col("lines").cast(pl.Float64),
        explanation=pl.format(
            "{} blamed by {}: {}",
            "entity",
            pl.col("callers").list.join(", "),
            readable(pl.col("samples").list.first(), 120),
        ),
        evidence=evidence_of(callers="callers", samples="samples"),
    )  # fmt: skip
    return sessions(facts, frames, gap_s=600.0)


RULE = Rule("peer_errors", "log", ("logs", "spans", "metric_series"), detect)

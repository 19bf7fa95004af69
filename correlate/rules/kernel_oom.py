"""Processes that the kernel killed for memory, and whose memory ran out.

Signal: pod.oom_killed on a pod; node.memory_pressure or node.oom on a node.
Condition: an OOM kill in a kernel line. When the cgroup's limit was the reason, the line names the pod's uid; when the
node had nothing left (`CONSTRAINT_NONE`, `Out of memory:`), it is the node's fault, whoever died for it. A bare
`Killed process` line says neither and weighs less.
Why it matters: a kill of a child process leaves no OOMKilled status and writes no Kubernetes event; the kernel's line
is the only witness, and it is what tells a limit that was too low from a node that was too full.
Source: https://github.com/torvalds/linux/blob/master/mm/oom_kill.c and, for the pod's uid in a cgroup's path,
https://kubernetes.io/docs/concepts/architecture/cgroups/
"""

from __future__ import annotations

import polars as pl

from correlate.frames import Frames
from correlate.rule import Rule
from correlate.sessions import evidence_of, sessions

MEMCG = (
    r"oom-kill:constraint=(?P<constraint>[A-Z_]+),.*task_memcg=(?P<cgroup>[^,]*),task=(?P<task>.*),"
    r"pid=(?P<pid>\d+),uid=\d+$"
)
KILLED = r"[Kk]illed process (?P<pid>\d+) \((?P<name>.+?)\)(?:.*?anon-rss:(?P<rss>\d+)kB)?"
# The systemd driver writes underscores for the uid's hyphens; static pods have a hash instead of a uid.
POD = r"pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12}|[0-9a-f]{32})"
CONTAINER = r"([0-9a-f]{64})"
LIMIT, NODE, UNSAID = "limit", "node", ""
"""Whose memory ran out: a cgroup's limit, the node's, or the line does not say."""


def parse(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Kernel lines -> `time, node, pid, process, rss_kb, constraint, scope, pod_uid, container_id, body` of kills."""
    group = pl.col("body").str.extract_groups(MEMCG)
    killed = pl.col("body").str.extract_groups(KILLED)
    cgroup = group.struct.field("cgroup")
    constraint = group.struct.field("constraint").fill_null("")
    limit = (constraint == "CONSTRAINT_MEMCG") | pl.col("body").str.contains("emory cgroup out of memory", literal=True)
    whole = constraint.is_in(["CONSTRAINT_NONE", "CONSTRAINT_MEMORY_POLICY", "CONSTRAINT_CPUSET"]) | pl.col(
        "body"
    ).str.contains(r"(?:^|[^a-z] ?)Out of memory: ")
    return (
        lines.filter(pl.col("body").str.contains(r"oom-kill:constraint=|[Kk]illed process \d+ \("))
        .with_columns(
            pid=pl.coalesce(group.struct.field("pid"), killed.struct.field("pid")).cast(pl.Int64),
            process=pl.coalesce(group.struct.field("task"), killed.struct.field("name")),
            rss_kb=killed.struct.field("rss").cast(pl.Int64),
            constraint=constraint,
            scope=pl.when(limit).then(pl.lit(LIMIT)).when(whole).then(pl.lit(NODE)).otherwise(pl.lit(UNSAID)),
            pod_uid=cgroup.str.extract(POD, 1).str.replace_all("_", "-").fill_null(""),
            container_id=cgroup.str.extract(CONTAINER, 1).fill_null(""),
        )
        .filter(pl.col("pid").is_not_null())
        .select(
            "time", "node", "pid", "process", "rss_kb", "constraint", "scope", "pod_uid", "container_id", "body"
        )
    )  # fmt: skip


def detect(frames: Frames) -> pl.LazyFrame:
    """Kills seen in the window, on the pod whose limit was hit, else on the node."""
    rows = parse(frames["kernel_logs"])
    own = (pl.col("scope") == LIMIT) & (pl.col("pod_uid") != "")
    facts = rows.select(
        "time",
        kind=pl.when(own)
        .then(pl.lit("pod.oom_killed"))
        .when(pl.col("scope") == NODE)
        .then(pl.lit("node.memory_pressure"))
        .otherwise(pl.lit("node.oom")),
        entity_type=pl.when(own).then(pl.lit("pod")).otherwise(pl.lit("node")),
        entity=pl.when(own).then("pod_uid").otherwise("node"),
        score=pl.when(own).then(8.5).when(pl.col("scope") == NODE).then(8.0).otherwise(5.0),
        explanation=pl.format(
            "the kernel of {} killed {} for memory ({})",
            "node",
            "process",
            pl.when(pl.col("scope") == LIMIT)
            .then(pl.lit("its cgroup's limit"))
            .when(pl.col("scope") == NODE)
            .then(pl.lit("the node had none left"))
            .otherwise(pl.lit("no reason given")),
        ),
        evidence=evidence_of(
            line=pl.col("body").str.slice(0, 300), node="node", process="process", container="container_id"
        ),
    )
    return sessions(facts, frames)


RULE = Rule("kernel_oom", "kubernetes", ("kernel_logs",), detect)

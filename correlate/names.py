"""Names as SREs type them: what a pod's name says about its owner, and how nodes and images are shortened.

Kubernetes builds pod names from their owner's: `<deployment>-<template hash>-<5 random>`, `<statefulset>-<ordinal>`,
`<job>-<5 random>`, and training operators put a replica role and index between
(https://kubernetes.io/docs/concepts/overview/working-with-objects/names/). Random parts use an alphabet without
vowels, so English words are not mistaken for hashes.
"""

from __future__ import annotations

import polars as pl

_SAFE = "[bcdfghjklmnpqrstvwxz2456789]"
_DEPLOYMENT = rf"^(.+)-({_SAFE}{{6,10}})-{_SAFE}{{5}}$"
_ROLE = (
    r"^(.+?)-(?:worker|workers|master|launcher|ps|chief|server|head|leader|node|trainer)s?(?:-\d+)+(?:-[a-z0-9]{5})?$"
)
_STATEFUL = r"^(.+)-\d{1,5}$"
_GENERATED = rf"^(.+)-{_SAFE}{{5}}$"
_CRON_RUN = r"^(.+)-\d{8,10}$"


def _text(column: pl.Expr | str) -> pl.Expr:
    return pl.col(column) if isinstance(column, str) else column


def _is_deployment_pod(pod: pl.Expr) -> pl.Expr:
    # A hash of digits only is a CronJob's scheduled minute.
    return pod.str.contains(_DEPLOYMENT) & ~pod.str.extract(_DEPLOYMENT, 2).str.contains(r"^\d+$").fill_null(value=True)


def owner(pod: pl.Expr | str) -> pl.Expr:
    """Name of the workload or job that the pod's name says it belongs to; the pod's own name if it says nothing."""
    name = _text(pod)
    return (
        pl.when(_is_deployment_pod(name))
        .then(name.str.extract(_DEPLOYMENT, 1))
        .when(name.str.contains(_ROLE))
        .then(name.str.extract(_ROLE, 1))
        .when(name.str.contains(_STATEFUL))
        .then(name.str.extract(_STATEFUL, 1))
        .when(name.str.contains(_GENERATED))
        .then(name.str.extract(_GENERATED, 1))
        .otherwise(name)
    )


def owner_type(pod: pl.Expr | str) -> pl.Expr:
    """`job` when the pod's name is that of a job's or training replica's pod, else `workload`."""
    name = _text(pod)
    job = ~_is_deployment_pod(name) & (name.str.contains(_ROLE) | owner(name).str.contains(_CRON_RUN))
    return pl.when(job).then(pl.lit("job")).otherwise(pl.lit("workload"))


def replica_set(pod: pl.Expr | str) -> pl.Expr:
    """ReplicaSet name of a Deployment's pod, else ''."""
    name = _text(pod)
    return (
        pl.when(_is_deployment_pod(name))
        .then(pl.concat_str(name.str.extract(_DEPLOYMENT, 1), name.str.extract(_DEPLOYMENT, 2), separator="-"))
        .otherwise(pl.lit(""))
    )


def deployment_of(replicaset: pl.Expr | str) -> pl.Expr:
    """A ReplicaSet's Deployment: its name without the template hash."""
    return _text(replicaset).str.replace(rf"-{_SAFE}{{6,10}}$", "")


def cron_of(job: pl.Expr | str) -> pl.Expr:
    """A scheduled Job's CronJob: its name without the scheduled minute; '' for other jobs."""
    name = _text(job)
    return name.str.extract(_CRON_RUN, 1).fill_null("")


def short_node(node: pl.Expr | str) -> pl.Expr:
    """A node's name up to the first dot."""
    return _text(node).str.replace(r"\..*$", "")


def image_tag(image: pl.Expr | str) -> pl.Expr:
    """Tag of `registry/name:tag`, '' when there is none."""
    return _text(image).str.extract(r":([^:/@]+)(?:@.*)?$", 1).fill_null("")


def bdf(text: pl.Expr | str) -> pl.Expr:
    """PCI address as dddd:bb:dd in lower case, from any of its spellings (8-digit domain, with or without function)."""
    return (
        _text(text)
        .str.extract(r"([0-9a-fA-F]{4}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2})(?:\.[0-9a-fA-F])?", 1)
        .str.to_lowercase()
    )

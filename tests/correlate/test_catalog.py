"""Catalogues: complete, consistent, and their patterns compile."""

from __future__ import annotations

from importlib.resources import files

import polars as pl
import pytest

from correlate import catalog
from correlate.errors import CatalogError

TABLES = sorted(p.name.removesuffix(".csv") for p in files("correlate.catalog").iterdir() if p.name.endswith(".csv"))
KEYS = {
    "xid": ["code"],
    "sxid": ["code"],
    "kinds": ["kind"],
    "evaluators": ["pattern"],
    "gpu_health_texts": ["pattern"],
    "kernel_lines": ["pattern"],
    "k8s_reasons": ["reason", "object_kind", "pattern"],
    "dcgm": ["metric", "kind", "mode"],
}


@pytest.mark.parametrize("name", TABLES)
def test_every_catalogue_names_its_source_and_has_rows(name: str) -> None:
    first = files("correlate.catalog").joinpath(f"{name}.csv").read_text(encoding="utf-8").split("\n", 1)[0]
    assert first.startswith("# ")
    assert catalog.table(name).height > 0


@pytest.mark.parametrize(("name", "key"), KEYS.items())
def test_keys_are_unique(name: str, key: list[str]) -> None:
    assert catalog.table(name).select(key).is_duplicated().sum() == 0


@pytest.mark.parametrize("name", [name for name in TABLES if "pattern" in catalog.table(name).columns])
def test_patterns_compile(name: str) -> None:
    for pattern in catalog.table(name)["pattern"]:
        pl.Series(["text"]).str.contains(pattern)


def test_actions_and_roles_are_known_words() -> None:
    kinds = catalog.kinds()
    assert set(kinds["action"]) <= catalog.ACTIONS
    assert set(kinds["role"]) <= catalog.ROLES
    assert kinds["root_prior"].is_between(0, 1).all()
    assert kinds["kind"].is_unique().all()


@pytest.mark.parametrize("name", ["k8s_reasons", "kernel_lines", "dcgm", "gpu_health_texts"])
def test_kinds_that_catalogues_produce_are_described(name: str) -> None:
    assert set(catalog.table(name)["kind"]) <= set(catalog.kinds()["kind"])


def test_causes_rank_above_their_echoes() -> None:
    prior = dict(catalog.kinds().select("kind", "root_prior").iter_rows())
    assert prior["xid.79"] > 0.9 > prior["xid.31"] > prior["xid.45"]
    assert prior["node.not_ready"] > prior["pod.evicted"]
    assert prior["pod.image_pull"] > prior["workload.unavailable"]


def test_an_unknown_catalogue_is_an_error() -> None:
    with pytest.raises(CatalogError, match="no catalogue"):
        catalog.table("nothing")

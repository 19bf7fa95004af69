"""The protobuf schema ClickHouse decodes OTLP with, shipped as text."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def schema() -> str:
    """Text of otlp.proto."""
    return files("store.proto").joinpath("otlp.proto").read_text(encoding="utf-8")

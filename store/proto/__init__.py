"""The protobuf schemas ClickHouse decodes OTLP and Prometheus remote write with, shipped as text."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

_UNROLLED = re.compile(r"\b(Any|Pair)[1-9](?= \w+ = )")
_UNUSED = re.compile(r"^message (?:Any|Pair|List|Map)[1-9] .*\n", re.MULTILINE)


@cache
def schema(*, nested: bool) -> str:
    """Text of otlp.proto; when not `nested`, with arrays and maps in attributes and bodies as bytes."""
    text = files("store.proto").joinpath("otlp.proto").read_text(encoding="utf-8")
    return text if nested else _UNUSED.sub("", _UNROLLED.sub(r"\g<1>0", text))


@cache
def remote_write_schema() -> str:
    """Text of remote_write.proto."""
    return files("store.proto").joinpath("remote_write.proto").read_text(encoding="utf-8")

"""Names of OpenTelemetry metrics and attributes as Prometheus has them: its old alphabet with suffixes, or as they are.

https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/
https://github.com/prometheus/otlptranslator
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache

from query.promql.values import NAME, Labels

# The scope of what came by remote write: its names are Prometheus' already (docs/prometheus.md).
REMOTE_WRITE_SCOPE = "causeline.remote_write"
_ODD = re.compile(r"[^a-zA-Z0-9:]+")
_ODD_LABEL = re.compile(r"[^a-zA-Z0-9_]")
_LEGACY = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_UNITS = {
    "d": "days", "h": "hours", "min": "minutes", "s": "seconds", "ms": "milliseconds", "us": "microseconds",
    "ns": "nanoseconds", "By": "bytes", "KiBy": "kibibytes", "MiBy": "mebibytes", "GiBy": "gibibytes",
    "TiBy": "tibibytes", "KBy": "kilobytes", "MBy": "megabytes", "GBy": "gigabytes", "TBy": "terabytes",
    "m": "meters", "V": "volts", "A": "amperes", "J": "joules", "W": "watts", "g": "grams", "Cel": "celsius",
    "Hz": "hertz", "%": "percent",
}  # fmt: skip
_PER = {"s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week", "mo": "month", "y": "year"}


class Kind(StrEnum):
    """Which table of metrics a series is in."""

    GAUGE = "gauge"
    SUM = "sum"
    HISTOGRAM = "histogram"
    EXPONENTIAL = "exponential_histogram"
    SUMMARY = "summary"


@dataclass(frozen=True, slots=True)
class Identity:
    """What a stored series is, whatever its points.

    `name` is the metric's in Prometheus' old alphabet, with unit and `_total`; a foreign one is left alone.
    """

    kind: Kind
    metric: str
    unit: str
    monotonic: bool
    delta: bool
    foreign: bool
    labels: Labels
    resource: Labels
    name: str = field(init=False)

    def __post_init__(self) -> None:
        name = self.metric
        if not self.foreign:
            name = legacy_name(self.metric, self.unit, self.kind, monotonic=self.monotonic)
        object.__setattr__(self, "name", name)


@lru_cache(maxsize=100_000)
def legacy_name(metric: str, unit: str, kind: Kind, *, monotonic: bool) -> str:
    """A metric's name with only letters, digits, underscores and colons, its unit and `_total`."""
    words = [word for word in _ODD.split(metric.replace("_", " ")) if word]
    counter = kind is Kind.SUM and monotonic
    if counter:
        words = [word for word in words if word != "total"]
    main, per = unit_words(unit)
    for word in (main, per):
        if word and not _contains(words, word):
            words += word.split("_")
    if counter:
        words.append("total")
    if unit == "1" and kind is Kind.GAUGE and "ratio" not in words:
        words.append("ratio")
    name = "_".join(words)
    return f"_{name}" if name[:1].isdigit() else name


def _contains(words: list[str], unit: str) -> bool:
    return f"_{unit}_" in f"_{'_'.join(words)}_"


def unit_words(unit: str) -> tuple[str, str]:
    """`By/s` as `bytes` and `per_second`; annotations in braces are no unit."""
    plain = re.sub(r"\{[^}]*\}", "", unit)
    main, _, per = plain.partition("/")
    main = "" if main in ("", "1") else _UNITS.get(main, "_".join(w for w in _ODD.split(main) if w))
    per = "_".join(w for w in _ODD.split(_PER.get(per.strip(), per)) if w)
    return main, f"per_{per}" if per else ""


def legacy_label(name: str) -> str:
    """An attribute's name in Prometheus' old alphabet."""
    out = _ODD_LABEL.sub("_", name)
    return f"key_{out}" if out[:1].isdigit() else out


def is_legacy(name: str) -> bool:
    """Whether a name needs no quotes in PromQL."""
    return _LEGACY.fullmatch(name) is not None


def target(resource: Labels) -> Labels:
    """`job` and `instance` of a resource."""
    service, namespace = resource.get("service.name", ""), resource.get("service.namespace", "")
    found = {
        "job": f"{namespace}/{service}" if namespace else service,
        "instance": resource.get("service.instance.id", ""),
    }
    return {name: value for name, value in found.items() if value}


def series_labels(resource: Labels, attributes: Labels, promoted: tuple[str, ...], *, foreign: bool) -> Labels:
    """A series' labels but its name. Attributes that come out the same are joined with `;`, as the collector does."""
    if foreign:
        return target(resource) | {name: value for name, value in attributes.items() if value}
    out = {legacy_label(name): resource[name] for name in promoted if resource.get(name)}
    own: Labels = {}
    for name in sorted(attributes):
        if attributes[name]:
            label = legacy_label(name)
            own[label] = f"{own[label]};{attributes[name]}" if label in own else attributes[name]
    own.pop(NAME, None)
    return out | own | target(resource)


def unescaped(name: str) -> str:
    """A label's name from a URL: `U__` escapes what the old alphabet has not.

    https://prometheus.io/docs/instrumenting/escaping_schemes/
    """
    if not name.startswith("U__"):
        return name
    return re.sub(
        r"__|_([0-9a-fA-F]{1,6})_",
        lambda found: "_" if found[1] is None else _character(int(found[1], 16)),
        name[3:],
    )


def _character(code: int) -> str:
    return chr(code) if code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF else "\ufffd"

"""Numbers as Go writes them."""

from __future__ import annotations

import math
from decimal import Decimal


def formatted(value: float) -> str:
    """Shortest text that reads back as the same float, as Prometheus answers it: `NaN`, `+Inf`, `1e+21`, `0.1`."""
    size = abs(value)
    if math.isinf(value) or value != value or size == 0 or 1e-6 <= size < 1e21:
        return plain(value)
    mantissa, _, exponent = format(Decimal(repr(float(value))).normalize(), "e").partition("e")
    return f"{mantissa}e{exponent[0]}{exponent[1:]:0>2}"


def plain(value: float) -> str:
    """The same, never with an exponent, as Go's format `f`."""
    if value != value:
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    text = repr(float(value))
    if "e" in text:
        text = format(Decimal(text), "f")
    return text.removesuffix(".0")

"""Fuzz protobuf bodies through the whole receiver and ClickHouse's decoder."""

from __future__ import annotations

import atheris

from ingest.envelope import Signal
from tests.fuzz.harness import fuzz
from tests.fuzz.mutate import mutated
from tests.fuzz.seeds import bodies
from tests.fuzz.target import PROTOBUF, Target

_SIGNALS = tuple(Signal)


def main() -> None:
    """The first byte chooses the signal, the rest is the body."""
    target = Target()

    def check(data: bytes) -> None:
        if data:
            target.ask(f"/v1/{_SIGNALS[data[0] % len(_SIGNALS)]}", PROTOBUF, data[1:])

    seeds = [bytes((_SIGNALS.index(signal),)) + body for signal, body in bodies()]

    def mutator(data: bytes, longest: int, seed: int) -> bytes:
        # The engine's coverage is not seen, so the valid bodies stay what most mutations begin with.
        if seed % 8 == 0:
            return bytes(atheris.Mutate(data, longest))
        base = data if seed % 8 == 1 else seeds[seed // 8 % len(seeds)]
        return (base[:1] + mutated(base[1:], seed))[:longest]

    fuzz("protobuf", check, seeds, mutator=mutator, finish=target.close)


if __name__ == "__main__":
    main()

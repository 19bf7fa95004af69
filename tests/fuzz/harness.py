"""Running a fuzzer for a number of inputs: atheris, which is libFuzzer for Python (https://github.com/google/atheris)."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import atheris

# A store that opens later has temporary files go into its own directory.
_TEMPORARY = tempfile.gettempdir()
Check = Callable[[bytes], None]
Mutator = Callable[[bytes, int, int], bytes]


def fuzz(
    name: str,
    check: Check,
    seeds: Iterable[bytes],
    *,
    mutator: Mutator | None = None,
    finish: Callable[[], None] | None = None,
    longest: int = 4096,
) -> None:
    """Give `check` as many inputs as the command line says, print how many and how fast, and end the process.

    An exception that leaves `check` ends it with a trace, the input in a file, and status 77.
    """
    parser = argparse.ArgumentParser(prog=f"python -m tests.fuzz.{name}")
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    corpus = Path(tempfile.mkdtemp(prefix="fuzz-", dir=_TEMPORARY))
    for number, seed in enumerate(seeds):
        (corpus / f"{number:04d}").write_bytes(seed)
    done, started = 0, time.monotonic()

    def one(data: bytes) -> None:
        nonlocal done
        check(data)
        done += 1
        if done == options.runs:
            if finish is not None:
                finish()
            seconds = time.monotonic() - started
            print(f"fuzz {name}: {done:,} inputs, {done / seconds:,.0f}/s, nothing broke", flush=True)  # noqa: T201

    # libFuzzer counts inputs of its own, so it is asked for some more than the ones counted here.
    arguments = [sys.argv[0], f"-runs={options.runs + 10}", f"-seed={options.seed}", f"-max_len={longest}"]
    arguments += ["-timeout=60", "-rss_limit_mb=0", "-verbosity=0", f"-artifact_prefix={corpus}/crash-", str(corpus)]
    atheris.Setup(arguments, one, custom_mutator=mutator)
    atheris.Fuzz()

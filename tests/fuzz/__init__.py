"""Inputs by the thousand: whatever the bytes, the answer is 200, 400, 413 or 415, and the process lives.

`python -m tests.fuzz.NAME --runs N` runs one of the programs; `make nightly` runs all of them, a million inputs.
"""

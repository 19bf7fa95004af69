"""Faults under load: killed processes, power cuts, overload, stores that go away.

Each module is a program, `python -m tests.faults.NAME --help`; what it counts is asserted by the tests beside it.
"""

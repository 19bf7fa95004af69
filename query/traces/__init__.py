"""Traces as trace viewers ask for them: services, operations, search, one trace, and who calls whom."""

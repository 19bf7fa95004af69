"""Deleting all that belongs to a tenant, a trace or a person, and proving that it is gone."""

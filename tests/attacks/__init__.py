"""Hostile and broken requests, by the lines of a list, each with the answer it must get."""

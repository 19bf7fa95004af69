"""The two calls of Tempo's API that a trace view needs, under /tempo/api."""

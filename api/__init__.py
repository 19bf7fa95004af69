"""HTTP API, command line and the composition root: the only package that wires the others."""

"""How the API speaks HTTP: parameters, cursors, errors, tags, and requests that are given up."""

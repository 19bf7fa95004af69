"""How good the answers are: labelled datasets replayed into a fresh system, scored, and reported."""

"""One module per verb; the verb is the function of the module's name."""

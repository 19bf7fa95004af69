"""One module per verb; each exports `register(app)`."""

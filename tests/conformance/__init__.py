"""What OTLP's specification asks of a server, a row each, with what shows that this one does it."""

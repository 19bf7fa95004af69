"""The query languages of other tools, evaluated over the store: PromQL, LogQL, and traces as Jaeger asks for them."""

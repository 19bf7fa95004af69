"""PromQL over any source of series: parsed by promql-parser, evaluated with numpy over series by steps."""

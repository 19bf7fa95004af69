-- How eagerly parts are merged. The engine's default (a merge as soon as parts together are five times as large as the
-- largest of them, and sooner while there are few) rewrote each span eleven times within 200 small batches, which took more
-- processor time than storing them: see docs/adr/0011. With 30 each is rewritten about twice, and a table under load keeps
-- some twenty parts more.
-- Source: https://clickhouse.com/docs/operations/settings/merge-tree-settings#merge_selector_base
ALTER TABLE otel_traces${on_cluster} MODIFY SETTING merge_selector_base = 30;
ALTER TABLE otel_traces_trace_id_ts${on_cluster} MODIFY SETTING merge_selector_base = 30;
ALTER TABLE otel_logs${on_cluster} MODIFY SETTING merge_selector_base = 30;
ALTER TABLE otel_metrics_gauge${on_cluster} MODIFY SETTING merge_selector_base = 30;
ALTER TABLE otel_metrics_sum${on_cluster} MODIFY SETTING merge_selector_base = 30;
ALTER TABLE otel_metrics_histogram${on_cluster} MODIFY SETTING merge_selector_base = 30;
ALTER TABLE otel_metrics_exponential_histogram${on_cluster} MODIFY SETTING merge_selector_base = 30;
ALTER TABLE otel_metrics_summary${on_cluster} MODIFY SETTING merge_selector_base = 30;
ALTER TABLE ingest_ledger${on_cluster} MODIFY SETTING merge_selector_base = 30;

"""Schema truth: numbered .sql files, applied in order by store.migrate."""

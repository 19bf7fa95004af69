-- Which version of the operators' policy was in force when a signal was found; '' is none.
ALTER TABLE signals${on_cluster} ADD COLUMN IF NOT EXISTS Policy LowCardinality(String) DEFAULT '';

-- Mutations of a table that are not done, and why the last try of one failed.
SELECT mutation_id AS id, latest_fail_reason AS reason
FROM ${system.mutations}
WHERE database = currentDatabase() AND replaceRegexpOne(table, '_local$', '') = {table:String} AND NOT is_done

-- Storage policy and definition of some tables.
SELECT replaceRegexpOne(table, '_local$', '') AS table_name, storage_policy AS policy, create_table_query AS definition
FROM system.tables
WHERE database = currentDatabase() AND table_name IN {tables:Array(String)} AND endsWith(engine, 'MergeTree')
ORDER BY table_name

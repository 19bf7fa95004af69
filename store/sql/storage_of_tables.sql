-- Storage policy and definition of some tables.
SELECT name, storage_policy AS policy, create_table_query AS definition
FROM system.tables
WHERE database = currentDatabase() AND name IN {tables:Array(String)}
ORDER BY name

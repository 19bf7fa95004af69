-- Storage policy and definition of some tables, as the node that is asked has them; all nodes are alike.
SELECT replaceRegexpOne(name, '_local$', '') AS name, storage_policy AS policy, create_table_query AS definition
FROM system.tables
WHERE database = currentDatabase() AND has(arrayMap(table -> concat(table, '_local'), {tables:Array(String)}), system.tables.name)
ORDER BY name

-- Partitions of some tables.
SELECT DISTINCT table AS table_name, partition_id AS part
FROM ${system.parts}
WHERE database = currentDatabase() AND table IN {tables:Array(String)} AND active AND rows > 0
ORDER BY table_name, part

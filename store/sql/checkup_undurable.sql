-- Tables that keep rows and do not have them on disk when an insert is answered.
SELECT name AS TableName
FROM system.tables
WHERE database = currentDatabase() AND engine LIKE '%MergeTree' AND engine NOT LIKE 'Replicated%'
    AND create_table_query NOT LIKE '%fsync_after_insert = 1%'
ORDER BY name

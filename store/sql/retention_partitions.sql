-- Days of telemetry tables, with their rows and bytes on disk, up to and including a day.
SELECT replaceRegexpOne(table, '_local$', '') AS table_name, partition_id AS day, sum(rows) AS rows, sum(bytes_on_disk) AS bytes
FROM ${system.parts}
WHERE database = currentDatabase() AND table_name IN {tables:Array(String)} AND active AND partition_id <= {until:String}
GROUP BY table_name, day
ORDER BY table_name, day

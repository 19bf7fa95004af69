-- Tables that keep rows and say whose they are.
SELECT DISTINCT replaceRegexpOne(table, '_local$', '') AS table_name
FROM system.columns
WHERE database = currentDatabase() AND name = 'Tenant'
    AND table IN (SELECT name FROM system.tables WHERE database = currentDatabase() AND endsWith(engine, 'MergeTree'))
ORDER BY table_name

-- Where the engine keeps a table's parts.
SELECT data_paths[1] AS Path FROM system.tables WHERE database = currentDatabase() AND name = {table:String}

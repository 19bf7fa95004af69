-- Move parts no more; those that were moved stay where they are.
ALTER TABLE {table:Identifier}${on_cluster} REMOVE TTL

-- Delete rows of a table that are older than a time.
ALTER TABLE {table:Identifier}${on_cluster}
DELETE WHERE Tenant = {tenant:String} AND {time:Identifier} < fromUnixTimestamp64Nano({before:Int64}, 'UTC')

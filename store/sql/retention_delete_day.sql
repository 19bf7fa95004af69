-- Delete some tenants' rows of a day, but for what is pinned.
ALTER TABLE {table:Identifier}${on_cluster}
DELETE IN PARTITION ID {day:String} WHERE Tenant IN {tenants:Array(String)} AND NOT arrayExists(
    (t, s, e) -> Tenant = t
        AND toUnixTimestamp64Nano(toDateTime64({first:Identifier}, 9)) < e
        AND toUnixTimestamp64Nano(toDateTime64({last:Identifier}, 9)) >= s,
    {pinned:Array(String)}, {starts:Array(Int64)}, {ends:Array(Int64)})

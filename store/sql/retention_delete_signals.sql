-- Delete signals that ended before a time and are not held.
ALTER TABLE signals${on_cluster}
DELETE WHERE Tenant = {tenant:String} AND Until < fromUnixTimestamp64Nano({before:Int64}, 'UTC')
    AND SignalId NOT IN {held:Array(String)}

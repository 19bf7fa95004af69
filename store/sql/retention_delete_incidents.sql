-- Delete what a table holds of some incidents.
ALTER TABLE {table:Identifier}${on_cluster}
DELETE WHERE Tenant = {tenant:String} AND IncidentId IN {ids:Array(String)}

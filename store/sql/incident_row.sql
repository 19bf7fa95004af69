-- One whole incident row.
SELECT * FROM incidents FINAL PREWHERE Tenant = {tenant:String} AND IncidentId = {id:String}

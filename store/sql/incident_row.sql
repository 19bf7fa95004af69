-- One whole incident row.
SELECT * FROM incidents FINAL WHERE Tenant = {tenant:String} AND IncidentId = {id:String}

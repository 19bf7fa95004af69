-- Every tenant that the correlator knows something of.
SELECT DISTINCT Tenant AS tenant FROM signals
UNION DISTINCT SELECT DISTINCT Tenant AS tenant FROM incidents
UNION DISTINCT SELECT DISTINCT Tenant AS tenant FROM entities
UNION DISTINCT SELECT DISTINCT Tenant AS tenant FROM correlation_jobs
ORDER BY tenant

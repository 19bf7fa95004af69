-- Every tenant that the correlator knows something of.
SELECT DISTINCT Tenant AS tenant FROM signals FINAL
UNION DISTINCT SELECT DISTINCT Tenant AS tenant FROM incidents FINAL
UNION DISTINCT SELECT DISTINCT Tenant AS tenant FROM entities FINAL
UNION DISTINCT SELECT DISTINCT Tenant AS tenant FROM correlation_jobs FINAL
ORDER BY tenant

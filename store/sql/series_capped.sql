-- Tenants whose further series are refused.
SELECT DISTINCT Tenant AS Name FROM series_capped ORDER BY Name

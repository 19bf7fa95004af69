-- How often each redaction rule found something in a batch.
SELECT toString(r.Rule) AS Rule, sum(r.Found) AS Found
FROM ingest_redacted AS r
WHERE r.Batch = {batch:UInt64}
GROUP BY r.Rule

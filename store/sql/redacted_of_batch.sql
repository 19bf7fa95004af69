-- How often each redaction rule found something in a batch.
SELECT toString(Rule) AS Rule, sum(Found) AS Found
FROM ingest_redacted
WHERE Batch = {batch:UInt64}
GROUP BY ingest_redacted.Rule

-- Which redaction policy is in force.
SELECT Version FROM redaction_policy ORDER BY At DESC, Version LIMIT 1

-- Deletions of any tenant that are not at their end, oldest first.
SELECT Tenant AS tenant, DeletionId AS id
FROM deletions
GROUP BY Tenant, DeletionId
HAVING argMax(State, At) IN ('queued', 'running', 'purging')
ORDER BY min(At), id

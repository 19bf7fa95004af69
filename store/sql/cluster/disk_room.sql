-- Room on the fullest local disk of any node.
SELECT argMin(free_space, free_space / total_space) AS Free, argMin(total_space, free_space / total_space) AS Total
FROM clusterAllReplicas({cluster:String}, system.disks)
WHERE total_space > 0 AND total_space < 18446744073709551615

"""What runs: the composition root, its processes, their ports and how they begin and end."""

"""A real source and real replicas with their binlaned, alone and as a cluster."""

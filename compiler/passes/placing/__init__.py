"""Where neurons and their synapses lie: on which cores, and these where on the mesh."""

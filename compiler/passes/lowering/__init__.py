"""Learning rules as what synapses and somata of a chip compute, and when in a fixation."""

"""Real weights and neurons as the integers of a core, and how far these can be off."""

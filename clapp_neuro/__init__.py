"""CLAPP for spiking networks: what is learned, and how."""

"""Files of the Neuromorphic Intermediate Representation as source graphs."""

"""ONNX files as source graphs: an ANN, or one time step of a spiking network."""

"""Source graphs for other tools: NIR and ONNX files. Inference only."""

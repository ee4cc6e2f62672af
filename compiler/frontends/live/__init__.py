"""Live PyTorch networks as source graphs: of snnTorch, of Norse, of PyTorch itself."""

"""From what users have to `compiler.ir.Network`, one file a source format."""

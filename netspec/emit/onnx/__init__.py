"""How ONNX computes each operation: its nodes, in tables by class, as `emit.torch` has torch's words."""

"""A network as ONNX, proven to compute what torch computes."""

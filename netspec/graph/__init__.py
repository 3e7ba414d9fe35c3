"""The network as a graph: blocks expanded, names given, every shape known."""

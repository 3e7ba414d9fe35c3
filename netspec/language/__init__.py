"""The words of a spec: rows, calls and expressions."""

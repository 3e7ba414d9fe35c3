"""The words of a spec: rows, expressions and sections."""

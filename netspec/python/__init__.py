"""Python as netspec writes it: literals, expressions, and the last look at a whole file."""

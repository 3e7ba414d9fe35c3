"""Python as netspec writes it: trees, the text that is printed of them, and the last look at a whole file."""

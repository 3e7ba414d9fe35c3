"""How C99 computes each operation: loops over arrays of fixed sizes, in tables by class."""

"""The runtime: everything that computes, and all that knows torch."""

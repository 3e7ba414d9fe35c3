"""Everything that computes: the only rooms that know torch."""

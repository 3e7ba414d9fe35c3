"""Data on its way into training: read, split, held in memory or streamed, mixed, and held against the network."""

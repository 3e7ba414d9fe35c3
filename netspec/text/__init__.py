"""A spec as text: reading, laying specs over each other, and reports that point into it."""

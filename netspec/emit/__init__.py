"""How other programs write what the catalogue has: a record knows only what it is."""

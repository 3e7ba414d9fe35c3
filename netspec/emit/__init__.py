"""Code emitters: how other programs write what the catalogue has. A record knows only what it is."""

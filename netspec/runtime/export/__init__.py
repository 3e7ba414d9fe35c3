"""Export: a network in other formats, proven to compute what torch computes."""

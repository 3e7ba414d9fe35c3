"""What a run does in torch, on arrays alone: data, losses and measures of a network in a file. Needs no torch."""

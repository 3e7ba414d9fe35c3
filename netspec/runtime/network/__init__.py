"""The network in torch: built from its printed source, initialised, given weights, frozen."""

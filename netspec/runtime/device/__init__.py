"""Devices, what a run computes on: device, process group, CUDA graphs, sharding, memory."""

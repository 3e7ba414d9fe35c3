"""What is done to data on its way to the network, one file a family."""

TRANSFORMS: dict[str, str] = {
    "geometry": "Resize Pad Crop Reshape ChannelsFirst ChannelsLast channels_first channels_last",
    "values": "Normalize Standardize Scale",
}
"""Steps for all data: each file and every word that it answers to; a test holds this against the classes."""

AUGMENTATIONS: dict[str, str] = {
    "augment": "Crop Flip Rotate Erase",
    "colour": "Jitter",
    "mixing": "Mixup CutMix",
}
"""Random steps for training data only."""

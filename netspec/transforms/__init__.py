"""What is done to data on its way to the network, one file a family."""

TRANSFORMS: dict[str, str] = {
    "geometry": "resize pad crop reshape ChannelsFirst channels_first ChannelsLast channels_last",
    "values": "normalize standardize scale",
}
"""Steps for all data: each file and every word that it answers to; a test holds this against the classes."""

AUGMENTATIONS: dict[str, str] = {
    "augment": "crop flip rotate erase",
    "colour": "jitter",
    "mixing": "mixup cutmix",
}
"""Random steps for training data only."""

"""The formats that a network is exported to, one file each: `exporters.FAMILIES` says which there are."""

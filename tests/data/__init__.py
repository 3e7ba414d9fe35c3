"""Tests of sources, transforms, splits and the section that names them."""

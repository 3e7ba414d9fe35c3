"""Formats a spec: every call short, `conv 6 k5`, or every call long, `conv: {out_channels: 6, kernel_size: 5}`."""

from netspec.views.format.rewrite import formatted

__all__ = ["formatted"]

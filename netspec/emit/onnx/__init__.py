"""Writes a network as ONNX, from its graph and its weights alone: no torch is imported."""

from netspec.emit.onnx.model import emit as emit
from netspec.emit.onnx.writer import Unwritable as Unwritable

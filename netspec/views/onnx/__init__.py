"""Writes a network as ONNX, from its graph and its weights alone: no torch is imported."""

from netspec.emit.onnx.writer import Unwritable as Unwritable
from netspec.views.onnx.file import save as save
from netspec.views.onnx.model import around as around
from netspec.views.onnx.model import emit as emit
from netspec.views.onnx.model import scope as scope

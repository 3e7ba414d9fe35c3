"""Writes a network as C99, from its graph and its weights alone: no torch is imported."""

from netspec.emit.c.writer import Unwritable as Unwritable
from netspec.views.c.program import Behind as Behind
from netspec.views.c.program import Program as Program
from netspec.views.c.program import emit as emit

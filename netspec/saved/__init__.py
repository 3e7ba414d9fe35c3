"""What torch keeps of a forward pass for the backward one, in symbols: tensors that share memory, and their bytes."""

from netspec.saved.held import Held, Storage
from netspec.saved.tape import Tape

__all__ = ["Held", "Storage", "Tape"]

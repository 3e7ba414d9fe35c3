"""What torch's backward pass keeps of a forward one, followed in symbols: which tensors share memory, and their bytes."""

from netspec.saved.held import Held, Storage
from netspec.saved.tape import Tape

__all__ = ["Held", "Storage", "Tape"]

"""Which names a member may have: anything a state_dict takes that does not hide nn.Module's own."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from netspec.errors import At, Problem
from netspec.language.refusals import Refused

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,99}")

MODULE_ATTRIBUTES: Final = frozenset(
    re.findall(
        r"\w+",
        """
        T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda double dump_patches
        eval extra_repr float forward get_buffer get_extra_state get_parameter get_submodule half ipu load_state_dict
        modules mtia named_buffers named_children named_modules named_parameters parameters register_backward_hook
        register_buffer register_forward_hook register_forward_pre_hook register_full_backward_hook
        register_full_backward_pre_hook register_load_state_dict_post_hook register_load_state_dict_pre_hook
        register_module register_parameter register_state_dict_post_hook register_state_dict_pre_hook requires_grad_
        set_extra_state set_submodule share_memory state_dict to to_empty train training type xpu zero_grad
        _apply _backward_hooks _backward_pre_hooks _buffers _call_impl _compiled_call_impl _forward_hooks
        _forward_hooks_always_called _forward_hooks_with_kwargs _forward_pre_hooks _forward_pre_hooks_with_kwargs
        _get_backward_hooks _get_backward_pre_hooks _get_name _is_full_backward_hook _load_from_state_dict
        _load_state_dict_post_hooks _load_state_dict_pre_hooks _maybe_warn_non_full_backward_hook _modules
        _named_members _non_persistent_buffers_set _parameters _register_load_state_dict_pre_hook
        _register_state_dict_hook _replicate_for_data_parallel _save_to_state_dict _slow_forward _state_dict_hooks
        _state_dict_pre_hooks _version _wrapped_call_impl
        """,
    )
)
"""What nn.Module calls its own; a test holds this against the installed torch."""
HELD: Final = frozenset(["append", "clear", "extend", "insert", "items", "keys", "pop", "update", "values"])
"""What nn.Sequential, nn.ModuleList and nn.ModuleDict call their own besides; a test holds this too."""


def check_input_name(name: str, at: At) -> None:
    """Raises Refused where an input cannot be called so."""
    if name in ("in", "prev"):
        raise Refused(Problem("name", f"{name!r} has a meaning of its own in every body", at, f"Call it {name}1."))
    if not _NAME.fullmatch(name):
        raise Refused(Problem("name", f"{name!r} is not a name", at, "A name has letters, digits, _ and -; no dot."))


def check_member_name(name: str, at: At) -> Problem | None:
    """The problem with a member's name, if there is one. A dot, as in `convs.0`, puts it into a list beside it."""
    fault = _fault(name)
    return Problem("name", fault[0], at, fault[1]) if fault is not None else None


@lru_cache(maxsize=4096)
def _fault(name: str) -> tuple[str, str] | None:
    """What is wrong with a name, and what to do; None for one that a member may have."""
    head, dot, key = name.partition(".")
    if head in MODULE_ATTRIBUTES or head.startswith("__"):
        return f"{head!r} is a name of nn.Module's own", f"Call it {head}1, or something else."
    if key in MODULE_ATTRIBUTES | HELD:
        text = f"{key!r} is a name of nn.ModuleDict's own, which holds {name}"
        return text, f"Call it {head}.{key}1, or something else."
    if name in ("in", "prev"):
        return f"{name!r} has a meaning of its own in every body", f"Call it {name}1."
    if not _NAME.fullmatch(head) or (dot and not _NAME.fullmatch(key)):
        return f"{name!r} is not a name", "A name has letters, digits, _ and -, and one dot at most."
    return None

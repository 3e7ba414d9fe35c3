"""JAX on the CPU: a step that is jitted once, AdamW in a few lines, as JAX's own examples have it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch

from benchmarks.forward import LeNet
from benchmarks.peers import LR
from benchmarks.peers.images import prepared

Tree = Any


def forward(p: Tree, x: Any) -> Any:
    """LeNet; images are batch x height x width x channels, which XLA is fastest with on a CPU."""
    for name in ("conv1", "conv2"):
        kernel = p[f"{name}.weight"].transpose(2, 3, 1, 0)
        x = jax.lax.conv_general_dilated(x, kernel, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        x = jax.nn.relu(x + p[f"{name}.bias"])
        x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    x = x.transpose(0, 3, 1, 2).reshape(len(x), -1)
    for name in ("fc1", "fc2", "fc3"):
        x = x @ p[f"{name}.weight"].T + p[f"{name}.bias"]
        x = x if name == "fc3" else jax.nn.relu(x)
    return x


def loss(p: Tree, x: Any, y: Any) -> Any:
    """The mean cross entropy."""
    return -jnp.take_along_axis(jax.nn.log_softmax(forward(p, x)), y[:, None], 1).mean()


@jax.jit
def step(p: Tree, m: Tree, v: Tree, count: Any, x: Any, y: Any) -> Any:
    """One step of AdamW with torch's defaults."""
    g = jax.grad(loss)(p, x, y)
    m = jax.tree.map(lambda a, b: 0.9 * a + 0.1 * b, m, g)
    v = jax.tree.map(lambda a, b: 0.999 * a + 0.001 * b * b, v, g)
    first, second = 1 - 0.9**count, 1 - 0.999**count

    def moved(a: Any, mean: Any, square: Any) -> Any:
        return a * (1 - LR * 0.01) - LR * (mean / first) / (jnp.sqrt(square / second) + 1e-8)

    return jax.tree.map(moved, p, m, v), m, v, count + 1


def epochs(images: torch.Tensor, labels: torch.Tensor, batch: int) -> Callable[[], float]:
    x, y = jnp.asarray(prepared(images).permute(0, 2, 3, 1).numpy()), jnp.asarray(labels.numpy())
    p = {name: jnp.asarray(value.detach().numpy()) for name, value in LeNet().named_parameters()}
    state = (p, jax.tree.map(jnp.zeros_like, p), jax.tree.map(jnp.zeros_like, p), 1.0)

    def epoch() -> float:
        nonlocal state
        start = time.perf_counter()
        order = np.random.permutation(len(x))
        for begin in range(0, len(x) - batch + 1, batch):
            rows = order[begin : begin + batch]
            state = step(*state, x[rows], y[rows])
        jax.block_until_ready(state)
        return time.perf_counter() - start

    return epoch

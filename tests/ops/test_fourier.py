"""Transforms by Fourier over pairs of real tensors, and convolutions with filters that are computed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional

import netspec


def built(text: str) -> Any:
    torch.manual_seed(0)
    return netspec.loads(text).build().double()


X = torch.randn(2, 6, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_mixing_of_fnet() -> None:
    net = built("input: 6x8\nlayers: {f: fft(in) 1 2, out: add(f.real in)}\n")
    assert torch.allclose(net(X), torch.fft.fft(torch.fft.fft(X, dim=-1), dim=-2).real + X)


def test_a_spectral_layer() -> None:
    text = """\
input: Tx8
layers:
  f: rfft(in) 2
  real: parameter 5 init=normal
  imag: parameter 5 init=normal
  rr: mul(f.real real)
  ii: mul(f.imag imag)
  ri: mul(f.real imag)
  ir: mul(f.imag real)
  re: sub(rr ii)
  im: add(ri ir)
  out: irfft(re im) 8 norm=backward
"""
    net = built(text)
    gain = torch.complex(net.real, net.imag)
    assert torch.allclose(net(X), torch.fft.irfft(torch.fft.rfft(X) * gain, n=8))


@pytest.mark.parametrize("norm", ["backward", "ortho", "forward"])
def test_there_and_back(norm: str) -> None:
    layers = f"{{f: fft(in) -1 norm={norm}, b: ifft(f.real f.imag) -1 norm={norm}}}"
    text = f"input: 6x8\nlayers: {layers}\noutputs: [b, b.imag]\n"
    real, imag = built(text)(X)
    assert torch.allclose(real, X)
    assert torch.allclose(imag, torch.zeros_like(X))


def test_lengths_of_halves() -> None:
    graph = netspec.loads("input: Tx7\nlayers: {f: rfft(in) 1, g: irfft(f.real f.imag) dim=1, h: rfft(in)}\n").graph
    sizes = {step.name: step.value.tensor for step in graph.root.walk()}
    assert [str(sizes[name]) for name in "fgh"] == ["B x (T // 2 + 1) x 7", "B x (2*(T // 2)) x 7", "B x T x 4"]
    assert graph.macs() is None  # n log2(n) of a length that is open
    assert netspec.loads("input: 4x8\nlayers: {f: rfft(in)}\n").graph.macs() == 4 * 8 * 3


STYLE = """\
inputs: {x: 4x6x6, style: 5}
layers:
  scale: linear(style) 4, reshape B 1 4 1 1
  weight: parameter 3x4x3x3 init=normal
  modulated: mul(weight scale)
  norm: pow(modulated) 2, sum 2 3 4 keepdim, add 1e-8, rsqrt
  demodulated: mul(modulated norm)
  out: convolve(x demodulated) p1
"""


def test_each_sample_has_its_own_filters() -> None:
    """As StyleGAN2 modulates and demodulates them."""
    spec = netspec.loads(STYLE)
    net = built(STYLE)
    x, style = torch.randn(3, 4, 6, 6).double(), torch.randn(3, 5).double()
    found = net(x, style)
    for sample in range(3):
        weight = net.weight * net.scale(style[sample]).view(1, 4, 1, 1)
        weight = weight * (weight.square().sum((1, 2, 3), keepdim=True) + 1e-8).rsqrt()
        wanted = functional.conv2d(x[sample : sample + 1], weight, padding=1)
        assert torch.allclose(found[sample], wanted[0])
    assert spec.graph.macs() == 5 * 4 + 3 * 36 * 4 * 9


def test_filters_are_another_value() -> None:
    net = built(
        "inputs: {x: 4x9, w: 2}\nlayers: {k: parameter 6x2x3 init=normal, b: parameter 6, o: convolve(x k b) s2 g2}\n"
    )
    x = torch.randn(2, 4, 9).double()
    assert torch.allclose(net(x, x), functional.conv1d(x, net.k, net.b, stride=2, groups=2))


@pytest.mark.parametrize(
    ("layers", "said", "try_"),
    [
        (
            "k: parameter 6x3x3x3, o: convolve(in k)",
            "filters of 3 channels in 1 groups, its input has 4",
            "in_channels",
        ),
        ("k: parameter 6x4x9x3, o: convolve(in k)", "has a window of 9", "smaller kernel"),
        ("k: parameter 4x3, o: convolve(in k)", "filters for them: they are", "out_channels x in_channels"),
        (
            "k: parameter 6x4x3x3, b: parameter 5, o: convolve(in k b)",
            "adds 5 to the results of 6 filters",
            "one number",
        ),
        ("k: parameter 6x4x3x3, o: {convolve: {inputs: [in, k], dims: 1d}}", "says dims=1d", "inferred"),
        ("k: parameter 2x6x4x3x3, o: convolve(in k)", "has filters for 2 samples, its input has B", ""),
        ("f: rfft(in) 4", "names axis 4", "Axes go from 0"),
        ("f: rfft(in), g: irfft(f.real in)", "joins parts of", ""),
    ],
)
def test_mistakes(layers: str, said: str, try_: str) -> None:
    with pytest.raises(netspec.SpecError) as caught:
        netspec.loads(f"input: 4x6x6\nlayers: {{{layers}}}\n".replace("convolve(in k b)", "'convolve(in k b)'"))
    problem = caught.value.problems[0]
    assert said in problem.message
    assert try_ in problem.hint

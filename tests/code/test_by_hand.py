"""Small things that a person would write so: names, expressions, and what comments say."""

from __future__ import annotations

import pytest

import netspec
from tests.code.style import assert_source_formatted


def printed(spec: str) -> str:
    source = netspec.loads(spec).source()
    assert_source_formatted(source)
    return source


def test_values_that_a_function_takes_together_have_their_names() -> None:
    source = printed(
        """
        input: 5x8
        layers:
          query: linear 8
          key: linear(in) 8
          value: linear(in) 8
          out: sdpa(query key value), linear 3
        """
    )
    assert "value = self.value(x)" in source
    assert "F.scaled_dot_product_attention(query, key, value)" in source


def test_what_flows_into_a_module_beside_others_flows_on() -> None:
    source = printed(
        """
        inputs: {tokens: int T}
        blocks: {add_mask(x mask): {proj: linear 8, out: add(proj mask)}}
        layers:
          mask: ones 8
          wte: embedding(tokens) 9 8
          last: add_mask(wte mask)
        """
    )
    assert "mask = torch.ones(" in source
    assert "x = self.last(x, mask)" not in source  # its second input is what `mask` stands for
    assert "return self.last(x, mask)" in source


def test_a_variable_is_used_again_where_nothing_reads_it_any_more() -> None:
    source = printed(
        """
        input: 8
        blocks:
          residual: {a: linear 8, x: add(a in), b: linear 8, out: add(b x)}
        layers: [residual, residual]
        """
    )
    assert "x = self.a(x) + x" in source
    assert "x2" not in source


@pytest.mark.parametrize("word", ["filter", "input", "hash"])
def test_no_variable_and_no_argument_shadows_a_function_of_pythons(word: str) -> None:
    source = printed(
        f"""
        input: 8
        blocks:
          b {word}: {{{word}s: linear ${word}, {word}: tanh, out: mul({word}s {word})}}
        layers: [b 3, b 4]
        """
    )
    assert f"{word}_" in source
    assert f" {word} =" not in source
    assert f" {word}," not in source
    assert f" {word})" not in source


def test_a_division_that_leaves_nothing_over_is_undone_by_its_product() -> None:
    source = printed(
        """
        input: 8x4x4
        blocks:
          halves: {a: "conv $(in.c // 2) k1", b: conv(in) $(in.c // 2) k1, out: "concat(a b), conv $(in.c) k1"}
        layers: [halves, conv 12 k1, halves]
        """
    )
    assert "self.out = nn.Conv2d(in_channels, in_channels, 1)" in source


def test_one_that_leaves_something_over_in_any_use_is_not() -> None:
    source = printed(
        """
        input: 8x4x4
        blocks:
          halves: {a: "conv $(in.c // 2) k1", b: conv(in) $(in.c // 2) k1, out: "concat(a b), conv $(in.c) k1"}
        layers: [halves, conv 11 k1, halves]
        """
    )
    assert "self.out = nn.Conv2d(2 * (in_channels // 2), in_channels, 1)" in source


def test_patches_are_counted_as_a_person_would() -> None:
    source = printed(
        """
        input: 3x32x32
        params: {patch: 8, d: 6}
        layers:
          proj: conv $d k$patch s$patch, flatten 2, transpose 1 2
          places: parameter 1x$(proj.t)x$d
          out: add(proj places), mean 1, linear 4
        """
    )
    assert "torch.zeros(1, (32 // patch) ** 2, d)" in source


def test_a_size_that_an_argument_of_the_network_gives_is_said_once() -> None:
    source = printed(
        """
        inputs: {tokens: int T}
        params: {d: 8, depth: 2}
        blocks:
          inner: {a: linear $d, b: gelu}
          outer: {norm: layernorm, inner: inner, out: add(inner in)}
        layers:
          wte: embedding 11 $d
          h: [outer x$depth]
        """
    )
    assert "Inner(d)" in source
    assert "in_features" not in source


def test_no_comment_says_a_size_that_an_argument_of_the_network_changes() -> None:
    source = printed(
        """
        input: 3x32x32
        params: {patch: 8, d: 6}
        blocks: {block: {norm: layernorm, out: add(norm in)}}
        layers:
          proj: conv $d k$patch s$patch, flatten 2, transpose 1 2
          blocks: [block, block]
        """
    )
    assert "def forward(self, x):  # M x d" in source or "def forward(self, x):  # L x d" in source
    assert "# 16 x" not in source


def test_an_input_whose_last_axis_layers_work_on_has_its_channels_there() -> None:
    source = printed(
        """
        input: 3x32x32
        blocks:
          window:
            norm: layernorm
            out: linear $(in.shape[1])
        layers:
          stem: conv 8 k4 s4, permute 0 2 3 1
          a: window
          b: [conv(in) 6 k2 s2, permute 0 2 3 1, window]
        """
    )
    assert "in_height" in source
    assert "in_height x in_width x in_features" in source or "in_height x W x in_features" in source
    assert "# in_channels x" not in source


def test_the_layers_that_all_uses_have_begin_the_list() -> None:
    source = printed(
        """
        input: 8x4x4
        blocks:
          b c: [conv $c k1, conv $c k3 same when c > 4, relu when c > 4]
        layers: [b 4, b 8]
        """
    )
    assert "layers = [nn.Conv2d(in_channels, c, 1)]" in source


def test_a_loop_over_the_uses_of_a_block_calls_each_a_layer() -> None:
    source = printed(
        """
        inputs: {x: 5x8, mask: 5x8}
        blocks: {DecoderLayer(x mask): {a: linear 8, out: add(a mask)}}
        layers:
          h: {repeat: 3, layers: [DecoderLayer(prev mask)]}
        """
    )
    assert "for layer in " in source

"""What a printed class says to one who reads it, and would use it again with other arguments."""

from __future__ import annotations

import ast

import pytest

from netspec import loads
from netspec.python.layout import lines
from netspec.python.nodes import assign, call, defined, named, stored
from netspec.views.code.program import Program
from netspec.views.code.tidy import merged
from tests.code.meaning import disagreement
from tests.code.style import assert_source_formatted


def printed(text: str) -> str:
    """The source of a spec, which also builds."""
    spec = loads(text)
    spec.build()
    return spec.source()


def test_a_step_that_some_uses_leave_out_is_written_over_the_arguments() -> None:
    source = printed(
        """
        input: 8x8x8
        blocks:
          b c s=1:
            conv: conv $c k3 s$s same
            skip: {when: s != 1 or in.c != c, layers: ["conv(in) $c k1 s$s"]}
            out: add(conv skip)
        layers: [b 8, b 16 s2, b 32 s2]
        """
    )
    assert "self.skip = nn.Sequential(nn.Conv2d(in_channels, c, 1, stride=s))" in source


def test_a_constant_default_of_the_header_is_the_constructors_default() -> None:
    source = printed(
        """
        input: 3x32x32
        blocks: {cbr c k s=1 p=0: [conv $c k$k s$s p$p nobias, bn, relu]}
        layers: [cbr 32 3 s2, cbr 64 5 p2]
        """
    )
    assert "def __init__(self, in_channels, c, k, s=1, p=0):" in source
    assert "self.cbr1 = Cbr(3, 32, 3, s=2)" in source
    assert "self.cbr2 = Cbr(32, 64, 5, p=2)" in source


def test_an_argument_without_a_default_stands_before_those_with_one() -> None:
    source = printed(
        """
        inputs: {x: 3x4x4, y: 3x6x6}
        blocks: {cell n=3: ["upsample scale_factor=1.5, flatten", "linear $n"]}
        layers: {a: cell(x), b: cell(y) n=5, c: cell(x), out: concat(a b c)}
        """
    )
    assert "def __init__(self, in_features, n=3):" in source
    assert "self.b = Cell(243, n=5)" in source


def test_a_default_that_no_use_takes_is_the_constructors_all_the_same() -> None:
    source = printed("input: 4\nblocks: {two c n=1: [linear $c, linear $n]}\nlayers: [two 3 2, two 4 3]\n")
    assert "def __init__(self, in_features, c, n=1):" in source
    assert "Two(2, 4, n=3)" in source


def test_members_called_by_number_stand_in_a_module_list() -> None:
    source = printed(
        """
        inputs: {x: 5x8, mask: 5x8}
        blocks: {"b(x m)": {l: linear(x) 8, o: mul(l m)}}
        layers: {enc: {layers: {$i: b(prev mask)}, repeat: 4}, out: linear(enc) 3}
        """
    )
    assert "class Enc(nn.ModuleList):" in source
    assert "super().__init__([B(8) for _ in range(4)])" in source
    assert "for b in self:" in source
    assert "x = b(x, mask)" in source


def test_members_called_by_number_with_gaps_stand_in_a_module_dict() -> None:
    source = printed("input: 3x8x8\nlayers: {a: [conv 4 k3, movedim 1 3, linear 5, gelu, movedim 3 1]}\n")
    assert "class A(nn.ModuleDict):" in source
    assert 'super().__init__({"0": nn.Conv2d(3, 4, 3), "2": nn.Linear(4, 5), "3": nn.GELU()})' in source
    assert 'x = self["0"](x)  # 4 x 6 x 6' in source


def test_members_with_names_stand_in_a_module() -> None:
    source = printed(
        """
        input: 4
        layers: {a: {p: parameter 4, y: add(in p)}, b: {x: linear 4, y: add(x in)}}
        """
    )
    assert "ModuleList" not in source


def test_comments_say_only_what_holds_in_every_run_of_a_class() -> None:
    source = printed(
        """
        inputs: {a: 3x8x8, b: 3x16x16}
        blocks: {cell: {c: conv 4 k3 same, p: pool 2, o: gap}}
        layers: {one: cell(a), two: use(b) one, out: add(one two)}
        """
    )
    assert "def forward(self, x):  # in_channels x H x W" in source
    assert "x = self.c(x)  # 4 x H x W" in source
    assert "return F.adaptive_avg_pool2d(x, 1)  # 4 x 1 x 1" in source


def test_letters_follow_the_axes_that_they_stand_for() -> None:
    source = printed(
        """
        input: 3x8x8
        blocks: {cell c: {y: conv $c k3 same, t: permute 0 2 3 1, l: layernorm, z: permute 0 3 1 2, p: pool 2}}
        layers: [cell 8, cell 16]
        """
    )
    assert "x.permute(0, 2, 3, 1)  # H x W x c" in source


def test_the_sides_of_a_map_keep_their_order_where_axes_are_put_in_or_moved() -> None:
    source = printed(
        """
        input: 3x8x8
        blocks:
          parted c: {y: conv $c k3 same, p: unflatten 1 2x-1}
          last c: {y: linear $c, p: permute 0 3 1 2, z: conv $c k3 same, q: permute 0 2 3 1}
        layers: [parted 8, sum 1, pool 2, parted 16, sum 1, permute 0 2 3 1, last 6, slice 1 0 2, slice 2 0 2, last 10]
        """
    )
    assert "return x.unflatten(1, (2, -1))  # 2 x c//2 x H x W" in source
    assert "x = x.permute(0, 3, 1, 2)  # c x H x W" in source


def test_a_shape_that_only_some_uses_pass_on_is_not_claimed_for_all() -> None:
    source = printed(
        """
        input: 8x8x8
        blocks: {cell c: {y: conv $c k3 same, out: add(y in) when in.c == c}}
        layers: [cell 8, cell 16, cell 16]
        """
    )
    assert "return out + x if self.use_residual else out  # c x 8 x 8" in source


def test_a_shape_that_is_another_in_training_is_told() -> None:
    source = printed("input: Tx8\nlayers: {l: linear 4, last: slice 1 -1 when not training, o: relu}\n")
    assert "if not self.training else x  # 1 x 4, in training T x 4" in source


def test_a_dropout_asks_for_itself_whether_the_network_trains() -> None:
    source = printed("input: 8\nlayers: [dropout 0.1 when training, linear 4, relu when training, linear 2]\n")
    assert "x = F.dropout(x, 0.1, self.training)  # 8\n" in source
    assert "x = F.relu(x) if self.training else x" in source


def test_a_dropout_between_other_values_is_left_to_the_condition() -> None:
    source = printed("input: 8\nlayers: {l: linear 8, d: {when: training, layers: [dropout(in) 0.1]}, o: linear 4}\n")
    assert "if self.training else" in source


def test_what_is_asked_about_stands_first() -> None:
    source = printed(
        """
        input: 5x8x8
        blocks:
          cell c mode=a: {skip: {when: mode == "a" and 5 != c, layers: ["conv(in) $c k1"]}, y: conv(in) $c k3 same}
        layers: [cell 5, cell(in) 8, cell(in) 7]
        """
    )
    assert 'if mode == "a" and c != 5:' in source


def test_what_nobody_reads_is_not_named() -> None:
    source = printed("input: 8\nlayers: {a: bn, b: linear(in) 4, c: relu(a), d: neg(b)}\n")
    assert "        self.a(x)\n" in source
    assert "relu" not in source


def test_what_nobody_reads_is_not_named_where_only_some_uses_have_it() -> None:
    source = printed(
        """
        input: 8x4x4
        blocks:
          cell c: {y: conv $c k3 same, z: {when: in.c == c, layers: [bn]}, r: relu when in.c == c, o: neg(y)}
        layers: [cell 8, cell 4, cell 4]
        """
    )
    assert "        if self.z is not None:\n            self.z(y)\n        return -y" in source
    assert "relu" not in source


def test_powers_and_words_in_conditions_are_written_as_elsewhere() -> None:
    source = printed(
        """
        input: 8
        blocks: {cell n act=x: {l: linear $(n ** 2), r: relu when act == "r"}}
        layers: [cell 2, cell 3, cell 3 act=r]
        """
    )
    assert "n**2" in source
    assert 'act == "r"' in source


def test_same_padding_is_the_formula_of_its_kernel() -> None:
    source = printed(
        """
        input: 3x32x32
        blocks: {cell c k=3 d=1: "conv $c k$k d$d same, bn"}
        layers: [cell 8, cell 16 k5, cell 8 k7 d2]
        """
    )
    assert "def __init__(self, in_channels, c, k=3, d=1):" in source
    assert "padding=d * (k - 1) // 2" in source
    assert "self.cell2 = Cell(8, 16, k=5)" in source


def test_numbers_that_happen_to_be_equal_are_not_taken_for_one_another() -> None:
    source = printed(
        """
        input: 5x16x16
        blocks: {double c m: {a: conv $m k3 same, b: bn, c: conv $c k3 same, d: bn}}
        layers: [double 8 8, double 4 4]
        """
    )
    assert "def __init__(self, in_channels, c, m):" in source
    assert "self.b = nn.BatchNorm2d(m)" in source
    assert "self.c = nn.Conv2d(m, c, 3, padding=1)" in source
    assert "self.d = nn.BatchNorm2d(c)" in source


def test_what_the_inputs_give_comes_first_and_is_called_for_what_it_is() -> None:
    source = printed(
        """
        inputs: {x: 8x8x8, y: 4x8x8}
        blocks:
          up(x skip) c: {cat: concat(x skip), conv: conv $c k3 same, low: conv(skip) $c k1, out: add(conv low)}
        layers: {a: up(x y) 6, b: up(a x) 2}
        """
    )
    assert "def __init__(self, in_channels, skip_channels, c):" in source
    assert "nn.Conv2d(in_channels + skip_channels, c, 3, padding=1)" in source
    assert "self.b = Up(6, 8, 2)" in source


def test_sizes_of_a_grid_are_no_channels() -> None:
    source = printed(
        """
        input: 8x16x16
        blocks: {cell p: {c: conv $(in.c * p) k1, pos: parameter 1x$(in.h // p)x$(in.h), o: matmul(pos c)}}
        layers: [cell 2, pool 2, cell 4]
        """
    )
    assert "def __init__(self, in_channels, in_height, p):" in source
    assert "torch.zeros(1, in_height // p, in_height)" in source


def test_an_argument_that_is_always_given_the_same_expression_is_one_argument() -> None:
    source = printed(
        """
        input: 8x16x16
        blocks:
          inner c: {a: conv $c k3 same, b: bn, o: add(b in)}
          outer c: {first: conv $c k1, second: inner $c, third: inner $c}
        layers: [outer 4, outer 6]
        """
    )
    assert "class Inner(nn.Module):\n    def __init__(self, c):" in source
    assert "self.a = nn.Conv2d(c, c, 3, padding=1)" in source


def test_an_operation_that_an_argument_names_is_given_as_a_class() -> None:
    source = printed(
        """
        input: 8x16x16
        blocks:
          unit c k=3 act=relu: [conv $c k$k same nobias, bn, $act]
          block c exp act=relu:
            expand: unit $exp k1 act=$act
            mid: bn, $act
            project: conv $c k1 nobias
        layers: [unit 8 act=hardswish, block 8 16, block 8 24 act=hardswish, block 12 24 act=hardswish]
        """
    )
    assert "def __init__(self, in_channels, c, k=3, act=nn.ReLU):" in source
    assert "nn.BatchNorm2d(c), act())" in source
    assert "self.expand = Unit(in_channels, exp, k=1, act=act)" in source
    assert "self.act = act()" in source
    assert "x = self.act(self.mid(x))" in source
    assert "self.block1 = Block(8, 8, 16)" in source
    assert "self.block2 = Block(8, 8, 24, act=nn.Hardswish)" in source
    assert source.count("class ") == 3


def test_an_operation_that_all_uses_share_is_written_as_it_is() -> None:
    source = printed(
        """
        input: 8
        blocks: {unit c act=relu: {l: linear $c, a: $act}}
        layers: [unit 8, unit 4]
        """
    )
    assert "F.relu(" in source
    assert "def __init__(self, in_features, c):" in source


def test_an_operation_that_is_also_asked_about_is_no_lie() -> None:
    source = printed(
        """
        input: 8
        blocks: {unit c act=relu: {l: linear $c, more: {when: act == "gelu", layers: [linear $c]}, a: $act}}
        layers: [unit 8, unit 4 act=gelu, unit 4 act=tanh]
        """
    )
    assert source.count("class ") == 2


def test_names_that_look_like_numbers_are_no_variables() -> None:
    source = printed("input: 8\nlayers: {l: linear 8, O: {l: linear 8, x: add(in l)}, I: add(O l)}\n")
    assert_source_formatted(source)
    assert "l_ = self.l(x)" in source
    assert "class BlockO(nn.Module):" in source


def test_words_in_a_name_stand_in_other_quotes_than_the_name() -> None:
    source = printed(
        """
        input: 8
        blocks: {cell n: {"l$('a' if n > 2 else 'b')": linear $n, o: linear 8}}
        layers: [cell 2, cell 3]
        """
    )
    assert """self.add_module(f"l{'a' if n > 2 else 'b'}", nn.Linear(in_features, n))""" in source


def test_names_that_are_identifiers_are_keywords_of_an_ordered_dict() -> None:
    source = printed(
        "input: 8\nlayers: {a: {first: linear 4, second: linear 3}, b: {first: linear 4, '0': linear 2}}\n"
    )
    assert "nn.Sequential(OrderedDict(first=nn.Linear(8, 4), second=nn.Linear(4, 3)))" in source
    assert 'nn.Sequential(OrderedDict({"first": nn.Linear(3, 4), "0": nn.Linear(4, 2)}))' in source


def test_the_docstring_tells_every_axis_but_the_batch() -> None:
    source = printed("input: TxBx8\nlayers: {l: linear 4, o: select 0 -1}\n")
    assert source.startswith('"""Net: T x B x 8 in, 4 out, 36 parameters."""')


def test_equal_levels_of_one_name_share_a_class() -> None:
    """Whatever blocks they stand in, and so do the blocks around them that then are equal."""
    out = "{a: relu, b: add(a a), c: linear 6}"
    source = printed(
        f"""
        input: 6
        blocks:
          one: {{out: {out}, x: add(out in)}}
          two: {{fc: fc 6, out: {out}, x: add(out fc)}}
          three: {{out: {{d: {out}, e: add(d in)}}, y: relu}}
          four: {{y: relu, out: {{d: {out}, e: add(d y)}}}}
        layers: [one, two, three, four]
        """
    )
    classes = [line for line in source.splitlines() if line.startswith("class ")]
    assert [line.partition("(")[0] for line in classes] == [
        *("class Out", "class One", "class Two", "class D", "class Out2", "class Three", "class Four", "class Net")
    ]
    assert source.count("self.out = Out()") == 2
    assert source.count("self.d = D()") == 1
    assert source.count("self.out = Out2()") == 2


def test_what_comments_say_of_both_classes_is_kept_where_they_agree() -> None:
    def level(name: str, shape: str) -> tuple[ast.ClassDef, dict[ast.stmt, str]]:
        first, last = assign(stored("x"), call("F.relu", named("x"))), ast.Return(named("x"))
        body = defined("forward", ["self", "x"], [first, last])
        return ast.ClassDef(name, [named("nn.Module")], [], [body], []), {first: shape, last: "8"}

    (one, said), (two, other) = level("Out", "4"), level("Out2", "5")
    comments = said | other
    user = ast.ClassDef("Net", [named("Out2")], [], [assign(stored("x"), call("Out2"))], [])
    program = merged(Program((one, two, user), comments), {"Out": "Out", "Out2": "Out", "Net": "Net"}, {})
    found = program.classes
    assert [cls.name for cls in found] == ["Out", "Net"]
    assert lines(found[1:], {}) == ["class Net(Out):", "    x = Out()"]
    assert lines([user], {}) == ["class Net(Out2):", "    x = Out2()"]
    assert lines(found[:1], program.comments)[-2:] == ["        x = F.relu(x)", "        return x  # 8"]
    assert comments == said | other


def test_a_buffer_that_only_some_uses_have_and_nothing_reads_is_no_statement_of_forward() -> None:
    text = "input: 6\nblocks: {cell b: {a: dropout 0.5, keys: buffer 3 when b, out: add(a in)}}\n"
    spec = loads(f"{text}layers: [cell false, cell true]\n")
    assert "if" not in spec.source().partition("def forward")[2], spec.source()
    assert not disagreement(spec), spec.source()


@pytest.mark.parametrize(
    "text",
    [
        """
        input: 6
        blocks:
          outer c:
            round: alias common
            body: linear 6
            again: alias round
            part: alias round.a
            out: linear $c
        layers: [common: {a: linear 6, b: relu}, outer 6, outer 6]
        """,
        """
        input: 6
        blocks:
          inner k: {proj: linear $k}
          outer n: {skip: {inner: {k: $n}}, again: use(in) skip, out: "pad 1 0, linear 6"}
        layers: [outer 3, outer 4, inner 6, outer 3]
        """,
    ],
    ids=["an alias of what is known from outside", "another run of what holds a block"],
)
def test_what_a_block_names_again_is_the_same_module(text: str) -> None:
    assert disagreement(loads(text)) == ""

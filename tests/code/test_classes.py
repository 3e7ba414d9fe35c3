"""What a printed class says to one who reads it, and would use it again with other arguments."""

from __future__ import annotations

from netspec import loads


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


def test_an_argument_behind_a_default_is_given_by_keyword() -> None:
    source = printed(
        """
        input: 3x32x32
        blocks: {cell c k=3: "conv $c k$k same"}
        layers: [cell 8, cell 16 k5, cell 8]
        """
    )
    assert "def __init__(self, in_channels, c, k=3, *, padding):" in source
    assert "self.cell2 = Cell(8, 16, k=5, padding=2)" in source


def test_a_default_that_no_use_takes_is_not_printed() -> None:
    source = printed("input: 4\nblocks: {two c n=1: [linear $c, linear $n]}\nlayers: [two 3 2, two 4 3]\n")
    assert "def __init__(self, in_channels, c, n):" in source


def test_members_called_by_number_stand_in_a_module_list() -> None:
    source = printed(
        """
        inputs: {x: 5x8, mask: 5x8}
        blocks: {"b(x m)": {l: linear(x) 8, o: mul(l m)}}
        layers: {enc: {layers: {$i: b(prev mask)}, repeat: 4}, out: linear(enc) 3}
        """
    )
    assert "class Enc(nn.ModuleList):" in source
    assert "super().__init__([B() for _ in range(4)])" in source
    assert "x = self[0](x, mask)" in source


def test_members_with_names_stand_in_a_module() -> None:
    source = printed(
        """
        input: 4
        layers: {a: {p: parameter 4, y: add(in p)}, b: {x: linear 4, y: add(x in)}}
        """
    )
    assert "ModuleList" not in source

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

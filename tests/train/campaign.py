"""Does to training what disks, systems and people do to it: python -m tests.train.campaign --kills 1000

    --kills N      ends runs at random points and resumes them, N times
    --flips N      turns over a bit of a checkpoint, N times
    --cuts N       cuts a file of a checkpoint short, N times
    --refusals     has every call that writes fail once, with ENOSPC, EIO and EROFS; needs a C compiler
    --signals N    sends SIGINT and SIGTERM at random points of the command, N times each

Nothing may be lost: each time, what is there is whole, what happened is said, and the run that goes on ends with the
very bits of one that nothing happened to.
"""

from __future__ import annotations

import argparse
import random
import sys
from functools import partial

import torch

from tests.train import damage, kills, refusals, signals


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("kills", "flips", "cuts", "signals"):
        parser.add_argument(f"--{name}", type=int, default=0, metavar="N")
    parser.add_argument("--refusals", action="store_true")
    parser.add_argument("--every", type=int, default=1, help="of the calls that are refused, take every N-th")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    chance = random.Random(options.seed)
    wanted = {
        "kills": (options.kills, partial(kills.campaign, options.kills, chance)),
        "flips": (options.flips, partial(damage.campaign, options.flips, damage.flip, chance)),
        "cuts": (options.cuts, partial(damage.campaign, options.cuts, damage.cut, chance)),
        "refusals": (options.refusals, partial(refusals.campaign, options.every)),
        "signals": (options.signals, partial(signals.campaign, options.signals, chance)),
    }
    faults = []
    for name, (asked, campaign) in wanted.items():
        if asked:
            found = campaign()
            print(f"{name}: {len(found)} faults", flush=True)
            faults += found
    sys.exit("\n".join(faults) or 0)


if __name__ == "__main__":
    main()

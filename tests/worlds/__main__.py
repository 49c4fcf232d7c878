"""Print how often what the page says is false: `python -m tests.worlds [--draws=20]`.

--worlds=affine,flat    only these (default: all)
--processes=2           parallel processes; the table does not depend on their number
--seed=0                of the generators
"""

from collections.abc import Sequence

from absl import flags

from mnist_horizon import cli
from mnist_horizon.errors import InputError
from tests.worlds.draws import all_draws, format_table
from tests.worlds.worlds import WORLDS

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Define the command's flags (not on import: processes that are started import this too)."""
    flags.DEFINE_integer("draws", 20, "Draws of each world.", lower_bound=1)
    flags.DEFINE_list("worlds", list(WORLDS), "Names of worlds.")
    flags.DEFINE_integer("processes", 2, "Parallel processes.", lower_bound=1)
    flags.DEFINE_integer("seed", 0, "Seed of the generators.", lower_bound=0)


def main(argv: Sequence[str]) -> None:
    """Draw, judge and print."""
    if unknown := [name for name in FLAGS.worlds if name not in WORLDS]:
        raise InputError(f"--worlds: {unknown[0]!r} is none of {', '.join(WORLDS)}")
    draws = all_draws(FLAGS.worlds, FLAGS.draws, FLAGS.seed, FLAGS.processes)
    print(format_table(draws))


if __name__ == "__main__":
    define_flags()
    cli.run(main)

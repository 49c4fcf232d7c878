"""All small experiments, one after another, on one page: `python -m launch.examples [NAMES]`.

    python -m launch.examples --out=runs/examples            # `make examples`
    python -m launch.examples bits proxy

Trains each on the embedded digits (sweeps that are done are not trained again), writes its report,
and then OUT/index.html with a figure and sentences of each: 6 minutes of processor time.

Exit codes: 0 done; 2 a name is unknown; else that of the command that failed.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from absl import flags

from launch.configs import action_baselines
from mnist_horizon import cli, files
from mnist_horizon.errors import InputError

FLAGS = flags.FLAGS


@dataclass(frozen=True)
class Example:
    """A small experiment.

    Attributes:
        question: in plain words.
        sweeps: by the name of the working directory the config's version, and further flags in
            which `{out}` is the folder of all.
        section: of the report, whose sentences are shown.
        figure: the name that the shown figure begins with.
        reported: the working directories in the report; by default all.
        command: what writes the report.
    """

    question: str
    sweeps: dict[str, Sequence[str]]
    section: str
    figure: str
    reported: Sequence[str] = ()
    command: str = "analysis.report"


EXAMPLES = {
    "quickstart": Example(
        "How does the cost grow with the horizon?",
        {"quickstart": ("quickstart.py",)},
        "horizon",
        "interactions_against_horizon",
    ),
    "parts": Example(
        "What of the cost is the task, and what does learning from rewards add?",
        {"parts": ("scaling.py:digits",)},
        "parts",
        "interactions_by_part",
    ),
    "bits": Example(
        "Do bits or noise say what a sparse reward costs?",
        {"bits": ("bits.py:digits",)},
        "bits",
        "interactions_against_bits",
    ),
    "entropy": Example(
        "How does the policy's entropy fall?",
        {"entropy": ("entropy.py:0.1",)},
        "entropy",
        "entropy_course",
    ),
    "proxy": Example(
        "Does a KL penalty do what stopping early does?",
        {
            "proxy_initial": ("proxy.py:initial",),
            **{
                f"proxy_{version}": (
                    f"proxy.py:{version}",
                    "--config.initial_policy.workdir={out}/proxy_initial",
                )
                for version in ("digits", "labels50", "labels200")
            },
        },
        "early-stopping",
        "gold_against_kl",
        ("proxy_digits", "proxy_labels50", "proxy_labels200"),
    ),
    "action_baselines": Example(
        "What does a baseline that depends on the action save?",
        {
            f"baseline_{version}": (f"action_baselines.py:{version}",)
            for version in action_baselines.VARIANTS
        },
        "action-baselines",
        "action_baselines",
        command="analysis.action_baselines",
    ),
    "privileged_basis": Example(
        "Are single hidden units a privileged basis?",
        {
            f"basis_{activation}_{optimizer}": (
                f"privileged_basis.py:{activation},{optimizer},digits",
            )
            for activation in ("leaky_relu", "relu", "tanh", "linear")
            for optimizer in ("adam", "sgd")
        },
        "privileged-basis",
        "privileged_basis",
        command="analysis.privileged_basis",
    ),
}
"""Every small experiment by its name; a new one is an entry here."""

CONFIGS = Path(__file__).parent / "configs"


def define_flags() -> None:
    """Define the command's flags (not on import: other commands have some of the same name)."""
    flags.DEFINE_string("out", "runs/examples", "Folder of all sweeps, reports and the page.")


def commands(name: str, out: Path) -> list[list[str]]:
    """The commands of one experiment: its sweeps, then its report."""
    example = EXAMPLES[name]
    found = []
    for workdir, (config, *more) in example.sweeps.items():
        command = ["launch.sweep", f"--config={CONFIGS / config}", f"--workdir={out / workdir}"]
        found.append([*command, *(flag.format(out=out) for flag in more)])
    workdirs = [str(out / name) for name in example.reported or example.sweeps]
    return [*found, [example.command, *workdirs, f"--out={out / 'reports' / name}"]]


def main(argv: Sequence[str]) -> int:
    """Run them; returns the exit code."""
    names = list(argv[1:]) or list(EXAMPLES)
    unknown = [name for name in names if name not in EXAMPLES]
    if unknown:
        raise InputError(f"{unknown[0]!r}: choose among {', '.join(EXAMPLES)}")
    out = cli.folder(FLAGS.out)
    for name in names:
        print(f"== {EXAMPLES[name].question}")
        for command in commands(name, out):
            code = _run(command)
            if code:
                return code
    shown = [
        {
            "name": name,
            "question": EXAMPLES[name].question,
            "section": EXAMPLES[name].section,
            "figure": EXAMPLES[name].figure,
            "report": f"reports/{name}",
        }
        for name in names
    ]
    files.write_text(out / "gallery.json", json.dumps(shown, indent=1) + "\n")
    return _run(["analysis.gallery", str(out)])


def _run(command: Sequence[str]) -> int:
    return subprocess.run([sys.executable, "-m", *command], check=False).returncode


if __name__ == "__main__":
    define_flags()
    cli.run(main, takes_arguments=True)

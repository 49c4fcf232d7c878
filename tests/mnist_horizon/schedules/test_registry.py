import subprocess
import sys
import textwrap

import jax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnist_horizon import schedules
from mnist_horizon.schedules import make, parse, register
from mnist_horizon.schedules.dense import Dense

TEXTS = ["dense", "revealed:0.25", "periodic:8", "streak:3", "lottery:0.5"]


@pytest.mark.parametrize("text", TEXTS)
def test_parse_reads_what_str_writes(text):
    kind, _, level = text.partition(":")
    assert parse(text) == make(kind, float(level or 1))
    assert str(parse(text)) == text


@settings(deadline=None)
@given(
    st.one_of(
        st.builds(make, st.sampled_from(["revealed", "lottery"]), st.floats(1e-9, 1)),
        st.builds(make, st.sampled_from(["periodic", "streak"]), st.integers(1, 2**24).map(float)),
    )
)
def test_text_loses_no_digit(schedule):
    assert parse(str(schedule)) == schedule


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "unknown schedule ''"),
        ("sparse", "unknown schedule 'sparse'"),
        ("dense:1", "write 'dense'"),
        ("periodic", "'periodic:k'"),
        ("revealed:0", "0 < p <= 1, not 0"),
        ("revealed:1.5", "0 < p <= 1, not 1.5"),
        ("revealed:nan", "0 < p <= 1, not nan"),
        ("revealed:1e-50", "above 0 in single precision, not 1e-50"),
        ("periodic:0", "whole number k >= 1, not 0"),
        ("periodic:2.5", "whole number k >= 1, not 2.5"),
        ("periodic:16777217", r"k of at most 2\^24, not 1.67772e\+07"),
        ("streak:inf", "whole number k >= 1, not inf"),
        ("streak:nan", "whole number k >= 1, not nan"),
        ("streak:many", "streak:many"),
        ("periodic:", "periodic:"),
    ],
)
def test_refusals_say_in_one_line_what_is_accepted(text, says):
    with pytest.raises(ValueError, match=says) as error:
        parse(text)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("kind", "level"), [("dense", 2.0), ("raffle", 1.0), ("streak", 0.5)])
def test_make_refuses_what_parse_would(kind, level):
    with pytest.raises(ValueError, match=kind):
        make(kind, level)


def test_every_file_of_the_folder_is_registered():
    assert set(schedules.kinds()) == {text.partition(":")[0] for text in TEXTS}


def test_a_name_belongs_to_one_class_and_the_same_once_more_is_welcome():
    class Often(Dense):
        def mean_reward(self, accuracy):
            return accuracy

    register("often")(Often)
    register("often")(Often)
    assert make("often").kind == "often"
    assert make("dense").kind == "dense"
    with pytest.raises(ValueError, match="'often'"):
        parse("seldom")
    with pytest.raises(ValueError, match="'dense' is already registered by Dense"):
        register("dense")(Often)


def test_a_file_may_be_read_twice_and_another_file_may_not_take_its_name(tmp_path):
    source = textwrap.dedent("""
        from mnist_horizon.schedules import register
        from mnist_horizon.schedules.dense import Dense

        @register("mine")
        class Mine(Dense):
            def mean_reward(self, accuracy):
                return accuracy
    """)
    for name in ("first.py", "first.py"):
        exec(compile(source, tmp_path / name, "exec"), {"__name__": "config"})
    with pytest.raises(ValueError, match="'mine' is already registered"):
        exec(compile(source, tmp_path / "other.py", "exec"), {"__name__": "config"})


@pytest.mark.parametrize("name", ["", "two words", "a:b", "../up", "Dense", "k2", "_a", "a_"])
def test_a_name_that_is_no_plain_word_is_refused(name):
    with pytest.raises(ValueError, match="lower-case letters"):
        register(name)(Dense)


def test_a_class_that_lacks_a_method_is_refused():
    class Empty(schedules.Schedule):
        def rewards(self, correct, uniform, phase, carried):
            raise NotImplementedError

    with pytest.raises(ValueError, match=r"Empty must .* have expected_reward, state_value"):
        register("empty")(Empty)
    with pytest.raises(ValueError, match="int must be a subclass of Schedule"):
        register("whole")(int)


def test_a_users_schedule_needs_no_other_edit(tmp_path):
    """In a config file of the user's own: the command trains with it."""
    config = tmp_path / "mine.py"
    config.write_text(
        textwrap.dedent("""
        from launch.configs import smoke
        from mnist_horizon.schedules import Payments, Schedule, register
        import jax.numpy as jnp

        @register("half")
        class Half(Schedule):
            level_name = "n"

            def rewards(self, correct, uniform, phase, carried):
                steps, *env = correct.shape
                paid = correct / self.level
                return Payments(paid, self.phases(phase, steps), jnp.zeros((steps + 1, *env)))

            def expected_reward(self, phase, accuracy):
                return jnp.broadcast_to(accuracy / self.level, phase.shape)

            def state_value(self, phase, carried, probability, accuracy, discount):
                return (probability - accuracy) / self.level

        def get_config():
            config = smoke.get_config()
            config.schedules = ("half:2",)
            config.widths, config.seeds = (4,), 1
            return config
    """)
    )
    command = [sys.executable, "-m", "launch.sweep", f"--config={config}", "--dry_run"]
    command.append(f"--workdir={tmp_path / 'run'}")
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    result = subprocess.run(
        [*command, "--config.optimizer.critical_horizon=42"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert "'half:2': no closed form" in result.stderr
    assert "set optimizer.critical_horizon to 0" in result.stderr


def test_jit_takes_no_class_for_another():
    """Equal structures would let jit run, now and then, what it compiled for another class."""
    structures = [jax.tree.structure(parse(text)) for text in TEXTS]
    assert all((a == b) == (a is b) for a in structures for b in structures)
    assert jax.tree.structure(parse("periodic:2")) == jax.tree.structure(parse("periodic:8"))

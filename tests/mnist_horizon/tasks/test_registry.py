import importlib.util
import json
from dataclasses import dataclass, field
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from mnist_horizon import tasks
from mnist_horizon.tasks import Examples, LoadedTask, Task, TaskError, make_examples

OWN_TASK = '''
from dataclasses import dataclass

import numpy as np

from mnist_horizon.tasks import LoadedTask, Task, make_examples, register


@register("parity")
@dataclass(frozen=True)
class Parity:
    """Whether an even or odd number of bits is set."""

    bits: int = 4

    def load(self) -> LoadedTask:
        images = np.array([[n >> b & 1 for b in range(self.bits)] for n in range(2**self.bits)])
        images = (255 * images).astype(np.uint8)
        examples = make_examples(images, (images // 255).sum(axis=1) % 2)
        return LoadedTask(Task(examples, examples, classes=2), {"source": "parity"}, 1.0)
'''


@pytest.fixture
def sample():
    @tasks.register("sample")
    @dataclass(frozen=True)
    class Sample:
        count: int = 2
        scale: float = 1.0
        label: str = "a"
        flag: bool = False
        folder: str = field(default="", metadata={"place": True})
        constant: ClassVar[int] = 3

        def __post_init__(self):
            if self.count < 1:
                raise TaskError(f"task.count must be at least 1, not {self.count}")

        def load(self):
            examples = make_examples(
                np.full((self.count, 2), 200, np.uint8), np.zeros(self.count, int)
            )
            return LoadedTask(Task(examples, examples, classes=2), {"source": "sample"})

    return Sample


def import_file(path):
    spec = importlib.util.spec_from_file_location("a_users_config", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_shipped_tasks_are_registered_by_their_files_alone():
    shipped = {"mnist", "fashion_mnist", "kmnist", "emnist/digits", "digits", "teacher"}
    assert shipped <= set(tasks.names())


def test_a_users_own_task_may_be_read_twice(tmp_path):
    path = tmp_path / "config.py"
    path.write_text(OWN_TASK)
    import_file(path)
    module = import_file(path)
    assert tasks.get("parity") is module.Parity
    loaded = tasks.load("parity", {"bits": 5})
    assert loaded.task.train.images.shape == (32, 5)
    assert loaded.optimal_return == 1.0
    assert loaded.provenance["settings"] == {"bits": 5}
    assert loaded.provenance["optimal_return"] == 1.0
    assert loaded.provenance["examples"] == {"train": 32, "test": 32}


def test_a_name_belongs_to_one_class(tmp_path):
    (tmp_path / "one.py").write_text(OWN_TASK)
    (tmp_path / "two.py").write_text(OWN_TASK)
    import_file(tmp_path / "one.py")
    with pytest.raises(TaskError, match="'parity' is already registered by Parity"):
        import_file(tmp_path / "two.py")


def test_settings_have_their_defaults_filled_in(sample):
    complete = {"count": 5, "scale": 2.0, "label": "a", "flag": False, "folder": "/somewhere"}
    given = {"count": 5, "scale": 2, "folder": "/somewhere"}
    settings = tasks.settings_of("sample", given)
    assert settings == complete
    assert isinstance(settings["scale"], float)
    assert json.loads(json.dumps(settings)) == settings
    complete.pop("folder")
    assert tasks.identity_settings("sample", given) == complete


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"cuont": 1}, "task.cuont: unknown setting of task 'sample'; it has count, scale"),
        ({"constant": 1}, "task.constant: unknown setting"),
        ({"count": "1"}, "task.count must be of type int, not '1' (str)"),
        ({"count": 1.0}, "task.count must be of type int"),
        ({"count": True}, "task.count must be of type int"),
        ({"flag": 1}, "task.flag must be of type bool"),
        ({"scale": True}, "task.scale must be of type float"),
        ({"scale": float("nan")}, "task.scale must be a finite number"),
        ({"label": None}, "task.label must be of type str"),
        ({"count": 0}, "task.count must be at least 1, not 0"),
    ],
)
@pytest.mark.parametrize("function", [tasks.load, tasks.settings_of, tasks.identity_settings])
def test_a_wrong_setting_is_refused_by_name(sample, function, settings, words):
    with pytest.raises(TaskError) as caught:
        function("sample", settings)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_task_is_refused_with_the_names():
    with pytest.raises(TaskError, match=r"task.name: unknown task 'minst': .*digits.*mnist"):
        tasks.load("minst", {})


def test_classes_of_another_form_are_refused():
    @dataclass
    class Thawed:
        def load(self): ...

    @dataclass(frozen=True)
    class Loadless:
        pass

    @dataclass(frozen=True)
    class Listed:
        sizes: list = field(default_factory=list)

        def load(self): ...

    @dataclass(frozen=True)
    class Required:
        count: int

        def load(self): ...

    for cls, words in [
        (Thawed, "must be a frozen dataclass with a method load"),
        (Loadless, "must be a frozen dataclass with a method load"),
        (Listed, "setting sizes must be a bool, int, float or str"),
        (Required, "setting count must be a bool, int, float or str with a default"),
    ]:
        with pytest.raises(TaskError, match=words):
            tasks.register("new")(cls)
    assert "new" not in tasks.names()


def test_a_task_is_a_pytree_argument_with_its_pixels_as_bytes(sample):
    task = tasks.load("sample", {"count": 3}).task
    leaves = jax.tree.leaves(task)
    assert [(leaf.shape, leaf.dtype) for leaf in leaves] == [
        ((3, 2), jnp.uint8),
        ((3,), jnp.int32),
    ] * 2
    assert all(isinstance(leaf, jax.Array) for leaf in leaves)
    lowered = jax.jit(lambda task, i: task.train.images[i].astype(jnp.float32)).lower(task, 0)
    assert "tensor<3x2xui8>" in lowered.as_text().split("->")[0]  # an argument, as bytes
    assert "dense<200" not in lowered.as_text()
    shapes = jax.eval_shape(lambda task: task, task)
    assert (shapes.train.images.shape, shapes.classes) == ((3, 2), 2)


def test_the_first_examples_in_sampling_order_are_a_sample_of_all_classes():
    """Of a split sorted by class: as many of each as chance gives, the same on every machine."""
    labels = np.repeat(np.arange(10), 100)
    images = np.arange(1000, dtype=np.uint16).view(np.uint8).reshape(1000, 2)
    mixed = tasks.in_sampling_order(make_examples(images, labels))
    order = np.asarray(mixed.images).copy().view(np.uint16).ravel()
    assert sorted(order) == list(range(1000)), "each example once"
    assert np.array_equal(mixed.labels, labels[order])
    counts = np.bincount(np.asarray(mixed.labels)[:200], minlength=10)
    assert stats.chisquare(counts).pvalue > 0.01
    assert order[:5].tolist() == [993, 859, 298, 553, 672]


def test_score_is_one_where_the_action_is_the_label():
    examples = Examples(images=jnp.zeros((1, 1), jnp.uint8), labels=jnp.zeros(1, jnp.int32))
    task = Task(train=examples, test=examples, classes=3)
    labels, actions = jnp.array([[0, 1], [2, 1]]), jnp.array([[0, 2], [2, 0]])
    expected = [[1, 0], [1, 0]]
    assert task.score(labels, actions).tolist() == expected
    assert jax.jit(jax.vmap(task.score))(labels, actions).tolist() == expected


@pytest.mark.parametrize(
    ("images", "labels", "words"),
    [
        (jnp.zeros((2, 3), jnp.int8), jnp.zeros(2, jnp.int32), "images int8 and labels int32, not"),
        (jnp.zeros((2, 3), jnp.uint8), jnp.zeros(2), "images uint8 and labels float32, not"),
        (jnp.zeros((2, 3)), jnp.zeros(2, jnp.int32), "images float32, unlike the train split"),
        (jnp.zeros((2, 3), jnp.uint8), jnp.zeros(1, jnp.int32), "(2, 3) and labels of shape (1,)"),
        (jnp.zeros((0, 3), jnp.uint8), jnp.zeros(0, jnp.int32), "(0, 3) and labels of shape (0,)"),
        (jnp.zeros((2, 0), jnp.uint8), jnp.zeros(2, jnp.int32), "(2, 0) and labels of shape (2,)"),
        (jnp.zeros((2, 4), jnp.uint8), jnp.zeros(2, jnp.int32), "(2, 4), unlike the train split"),
        (jnp.zeros((2, 3), jnp.uint8), jnp.array([0, 2]), "labels 0 to 2, not in 0 to 1"),
        (jnp.zeros((2, 3), jnp.uint8), jnp.array([-1, 1]), "labels -1 to 1, not in 0 to 1"),
    ],
)
def test_an_own_task_with_wrong_data_is_refused(images, labels, words):
    @tasks.register("broken")
    @dataclass(frozen=True)
    class Broken:
        def load(self):
            right = make_examples(np.zeros((2, 3), np.uint8), np.zeros(2, int))
            return LoadedTask(Task(right, Examples(images, labels), classes=2), {})

    with pytest.raises(TaskError) as caught:
        tasks.load("broken", {})
    assert str(caught.value).startswith("task 'broken': its test split has ")
    assert words in str(caught.value)


def test_float_observations_are_kept_and_must_be_finite():
    def task_of(values):
        split = make_examples(np.asarray(values, float), np.array([0, 1]))
        return Task(split, split, classes=2)

    task = task_of([[-2.5], [1e4]])
    tasks.task.check("floats", task)
    assert task.train.images.dtype == jnp.float32
    assert task.train.images.tolist() == [[-2.5], [1e4]]
    with pytest.raises(TaskError, match="numbers that are not finite"):
        tasks.task.check("floats", task_of([[np.nan], [0.0]]))
    checksum = tasks.task.content_checksum
    assert checksum(task.train) != checksum(task_of([[-2.5], [1e4 + 1]]).train)


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint16])
def test_whole_numbers_that_are_no_bytes_are_refused(dtype):
    """A network would see 0 to 255 as they are, where bytes are meant."""
    with pytest.raises(TaskError, match=f"^observations are {np.dtype(dtype)}: make them uint8"):
        make_examples(np.zeros((2, 3), dtype), np.array([0, 1]))
    assert make_examples(np.ones((2, 3), bool), np.array([0, 1])).images.dtype == jnp.float32


def test_a_subclass_that_is_no_pytree_is_refused():
    class Plain(Task):
        pass

    split = make_examples(np.zeros((1, 1), np.uint8), np.zeros(1, int))
    with pytest.raises(TaskError, match=r"Plain needs the line @flax\.struct\.dataclass"):
        tasks.task.check("plain", Plain(split, split, classes=2))


def test_content_checksum_tells_data_apart(sample):
    def content(images, labels):
        return tasks.task.content_checksum(make_examples(images, labels))

    images, labels = np.arange(6, dtype=np.uint8).reshape(2, 3), np.array([0, 1])
    assert content(images, labels) == content(images.copy(), labels.astype(np.uint8))
    assert content(images, labels) != content(images[::-1].copy(), labels)
    assert content(images, labels) != content(images.reshape(2, 3, 1), labels)
    assert content(images, labels) != content(images, labels[::-1].copy())


@pytest.mark.parametrize("name", ["", "..", "../x", "/tmp/x", "a//b", "a/../b", ".a", "a b", "a\n"])
def test_a_name_that_is_no_plain_one_is_refused(name: str) -> None:
    """It becomes part of the names of files."""

    @dataclass(frozen=True)
    class Paths:
        def load(self) -> LoadedTask:
            raise NotImplementedError

    with pytest.raises(TaskError, match="its name must be plain"):
        tasks.register(name)(Paths)
    assert name not in tasks.names()

"""Checksums of well-known files, to identify what was read and to refuse files of another data set.

Those of the gzipped files are registered by tensorflow-datasets (its folder `url_checksums`; a
test compares). Those of the uncompressed MNIST files are the digests of their content.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class KnownFile:
    """A file known by its sha256: the data set and part it belongs to, and what to call it."""

    data_set: str
    part: str
    name: str


PARTS = ("train-images", "train-labels", "t10k-images", "t10k-labels")

_OFFICIAL = {
    "mnist": (
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    ),
    "fashion_mnist": (
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    ),
    "kmnist": (
        "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
        "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
        "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
        "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
    ),
}
_MNIST_UNCOMPRESSED = (
    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
)
# Some published lossless copies of MNIST have pixel value 1 mapped to 0.
_MNIST_REBUILT_TRAIN_IMAGES = (
    "a495c04aeb036225fb56cf3671e29e0ea147d9e6e209d1acd21e6f3d1f917efc",
    "b61ffb6f513fd9ff8d89824731f6b4ed7863c759c33056d701efb8412469fb04",
)

KNOWN: dict[str, KnownFile] = {
    digest: KnownFile(data_set, part, f"official {data_set} {part}")
    for data_set, digests in [*_OFFICIAL.items(), ("mnist", _MNIST_UNCOMPRESSED)]
    for part, digest in zip(PARTS, digests, strict=True)
} | {
    digest: KnownFile(
        "mnist", "train-images", "mnist train-images rebuilt with pixel value 1 read as 0"
    )
    for digest in _MNIST_REBUILT_TRAIN_IMAGES
}


def find(sha256: str, content_sha256: str) -> KnownFile | None:
    """The known file with this checksum, as stored on disk or decompressed."""
    return KNOWN.get(sha256) or KNOWN.get(content_sha256)

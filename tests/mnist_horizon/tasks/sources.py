"""Writers of small data sets for the tests, independent of the readers under test."""

import gzip
import io
import json
import struct
from pathlib import Path

import numpy as np
from PIL import Image

NAMES = {
    ("train", "images"): "train-images-idx3-ubyte",
    ("train", "labels"): "train-labels-idx1-ubyte",
    ("test", "images"): "t10k-images-idx3-ubyte",
    ("test", "labels"): "t10k-labels-idx1-ubyte",
}


def pictures(count, seed=0):
    """Images of all byte values, no symmetry, and labels 0 to 9 in turn."""
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 256, size=(count, 28, 28), dtype=np.uint8)
    images[:, 0, 1], images[:, 1, 0] = 255, 128
    return images, (np.arange(count) % 10).astype(np.uint8)


def idx_bytes(array, element_type=0x08):
    header = bytes([0, 0, element_type, array.ndim])
    return header + b"".join(struct.pack(">I", size) for size in array.shape) + array.tobytes()


def write_idx_folder(folder, splits, compress=True, names=NAMES):
    folder.mkdir(parents=True, exist_ok=True)
    for split, (images, labels) in splits.items():
        for kind, array in (("images", images), ("labels", labels)):
            content = idx_bytes(array)
            name = names[split, kind]
            if compress:
                (folder / f"{name}.gz").write_bytes(gzip.compress(content))
            else:
                (folder / name).write_bytes(content)
    return folder


def write_prepared(data_dir, name, version, splits, file_format="array_record"):
    """Lay a data set down as TFDS prepares it, in array_record, without TensorFlow."""
    from array_record.python.array_record_module import ArrayRecordWriter
    from tensorflow_datasets.proto import tf_example_pb2

    folder = Path(data_dir) / name / version
    folder.mkdir(parents=True)
    data_set, _, config = name.partition("/")
    info = {"name": data_set, "version": version, "fileFormat": file_format, "splits": []}
    if config:
        info["configName"] = config
    for split, (images, labels) in splits.items():
        path = folder / f"{data_set}-{split}.{file_format}-00000-of-00001"
        writer = ArrayRecordWriter(str(path), "group_size:1")
        for image, label in zip(images, labels, strict=True):
            example = tf_example_pb2.Example()
            png = io.BytesIO()
            Image.fromarray(image).save(png, format="png")
            example.features.feature["image"].bytes_list.value.append(png.getvalue())
            example.features.feature["label"].int64_list.value.append(int(label))
            writer.write(example.SerializeToString())
        writer.close()
        info["splits"].append(
            {
                "name": split,
                "shardLengths": [str(len(labels))],
                "numBytes": str(path.stat().st_size),
                "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
            }
        )
    (folder / "dataset_info.json").write_text(json.dumps(info))
    (folder / "features.json").write_text(json.dumps(_features()))
    return folder


def _features():
    package = "tensorflow_datasets.core.features"
    dimensions = {"dimensions": ["28", "28", "1"]}
    return {
        "pythonClassName": f"{package}.features_dict.FeaturesDict",
        "featuresDict": {
            "features": {
                "image": {
                    "pythonClassName": f"{package}.image_feature.Image",
                    "image": {"dtype": "uint8", "shape": dimensions},
                },
                "label": {
                    "pythonClassName": f"{package}.class_label_feature.ClassLabel",
                    "classLabel": {"numClasses": "10"},
                },
            }
        },
    }

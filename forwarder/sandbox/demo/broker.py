"""The embedded broker: librdkafka's mock cluster, from confluent-kafka's own library.

Good for a demo, not for proofs: one member a group, topics only in memory, and a reader that falls
some MB behind loses records without a word. So the shop is paced by what the worker has finished.
"""

from __future__ import annotations

import ctypes
import importlib.util
from pathlib import Path
from typing import Any, Self

from forwarder.problems import Problem, Problems

_PRODUCER = 0


class NoEmbeddedBroker(Problems):
    """The demo's broker is not installed, or does not start."""


class EmbeddedBroker:
    """``with EmbeddedBroker() as broker: ...``; ends with its process at the latest."""

    def __init__(self) -> None:
        self._library = _library()
        self._client: Any = None
        self._cluster: Any = None

    def __enter__(self) -> Self:
        library, error = self._library, ctypes.create_string_buffer(512)
        conf = library.rd_kafka_conf_new()
        library.rd_kafka_conf_set(conf, b"log_level", b"0", error, len(error))
        self._client = library.rd_kafka_new(_PRODUCER, conf, error, len(error))
        self._cluster = library.rd_kafka_mock_cluster_new(self._client, 1)
        if not self._cluster:
            raise _unusable("did not start")
        return self

    def __exit__(self, *_: object) -> None:
        self._library.rd_kafka_mock_cluster_destroy(self._cluster)
        self._library.rd_kafka_destroy(self._client)

    @property
    def bootstrap_servers(self) -> str:
        address: bytes = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster)
        return address.decode()

    def create(self, topic: str, partitions: int) -> None:
        """Create a topic: the cluster has no call for that, and what it creates by itself has four
        partitions.
        """
        if self._library.rd_kafka_mock_topic_create(self._cluster, topic.encode(), partitions, 1):
            raise _unusable(f"refused to create {topic}")


def _library() -> Any:  # ctypes has no types for what a library holds
    found = importlib.util.find_spec("confluent_kafka")
    if found is None or found.origin is None:
        raise _unusable("is not installed")
    package = Path(found.origin).parent
    beside = package.parent / "confluent_kafka.libs"
    files = [*beside.glob("librdkafka*"), *(package / ".dylibs").glob("librdkafka*")]
    if not files:
        raise _unusable("has no librdkafka of its own")
    library = ctypes.CDLL(str(files[0]))
    for name, result, arguments in _FUNCTIONS:
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


_POINTER, _TEXT, _INT = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
_FUNCTIONS: tuple[tuple[str, Any, list[Any]], ...] = (
    ("rd_kafka_conf_new", _POINTER, []),
    ("rd_kafka_conf_set", _INT, [_POINTER, _TEXT, _TEXT, _TEXT, ctypes.c_size_t]),
    ("rd_kafka_new", _POINTER, [_INT, _POINTER, _TEXT, ctypes.c_size_t]),
    ("rd_kafka_destroy", None, [_POINTER]),
    ("rd_kafka_mock_cluster_new", _POINTER, [_POINTER, _INT]),
    ("rd_kafka_mock_cluster_destroy", None, [_POINTER]),
    ("rd_kafka_mock_cluster_bootstraps", _TEXT, [_POINTER]),
    ("rd_kafka_mock_topic_create", _INT, [_POINTER, _TEXT, _INT, _INT]),
)


def _unusable(why: str) -> NoEmbeddedBroker:
    fix = "install it with: pip install '.[demo]', in the project's folder"
    return NoEmbeddedBroker([Problem("demo", f"confluent-kafka, the demo's broker, {why}", fix)])

"""A real Apache Kafka for tests, demos of failure and benchmarks, without containers.

    with Broker() as broker:
        ...  # broker.bootstrap is "127.0.0.1:<port>"

Jars come from Maven Central once, into ``.cache/kafka`` of the repository. With Java and Maven
absent, docker runs the same version. The process dies with the one that started it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import SystemRandom
from types import TracebackType
from typing import Final, Self

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
ARTIFACTS = ROOT / "artifacts"
CLUSTER = "MkU3OEVBNTcwNTJENDM2Qg"
IMAGE = "apache/kafka-native:4.1.1"
RANDOM = SystemRandom()
NOTHING = (
    "No Kafka for the tests: install Java 17 and Maven (the broker is then fetched and started), "
    "or docker, or set KAFKA_BOOTSTRAP to a broker that the tests may fill."
)
# Runs a command, writes down its process id, and kills it when the input ends: so a broker never
# outlives the tests, however they end.
KEEPER = """
exec 3<&0
place=$1
shift
"$@" </dev/null 3<&- &
child=$!
echo $child >"$place"
( cat <&3 >/dev/null; kill -KILL $child ) 2>/dev/null &
keeper=$!
wait $child
code=$?
kill $keeper 2>/dev/null
exit $code
"""


class NoBroker(RuntimeError):
    """The broker could not be had or did not start; the text says what to do."""


class Broker:
    """One node, broker and controller in one, on loopback ports of its own.

    ``server_properties`` override the defaults below; ``{port}`` and ``{controller_port}`` in
    their values are replaced. ``format_arguments`` go to the storage tool (``--add-scram``).
    ``join``: be one more broker of that one's cluster. Data stay in ``directory`` over ``kill``
    and ``restart``; a directory made here goes with ``close``.
    """

    def __init__(
        self,
        *,
        server_properties: Mapping[str, str] | None = None,
        format_arguments: Sequence[str] = (),
        directory: Path | None = None,
        join: Broker | None = None,
        node: int = 1,
        heap: str = "512m",
        log: Path | None = None,
    ) -> None:
        self.port = free_port()
        self.node = node
        self._controller_port: int = join._controller_port if join else free_port()
        self._joins = join is not None
        self._own_directory = directory is None
        self._directory = directory or Path(tempfile.mkdtemp(prefix="broker-"))
        self._properties = dict(server_properties or {})
        self._format_arguments = format_arguments
        self._heap = heap
        self.log = log or ARTIFACTS / f"broker-{self.port}.log"
        self._container: str | None = None
        self._process: subprocess.Popen[str] | None = None

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, *, within: float = 90.0) -> Self:
        """Start and return when it serves. Raises ``NoBroker`` with the end of its log."""
        if self.running:
            return self
        self.log.parent.mkdir(parents=True, exist_ok=True)
        command = self._command()
        with self.log.open("a") as log:
            seen = self.log.stat().st_size
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", KEEPER, "keeper", str(self._pid_file), *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        self._wait_for_start(seen, time.monotonic() + within)
        return self

    def stop(self, *, within: float = 15.0) -> None:
        """End in good order; data stay."""
        self._signal(signal.SIGTERM)
        try:
            self._ended(within)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End at once, as a crash would."""
        self._signal(signal.SIGKILL)
        self._ended(10)

    def restart(self) -> None:
        self.stop()
        self.start()

    def freeze(self) -> None:
        """Connections stay open, nothing answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """Kill, and forget the data if the directory was made here."""
        if self.running:
            self.kill()
        if self._own_directory:
            shutil.rmtree(self._directory, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def _command(self) -> list[str]:
        config = self._write_properties()
        if shutil.which("java") and shutil.which("mvn"):
            java = self._java()
            self._format(java, config)
            return [*java, "kafka.Kafka", str(config)]
        if shutil.which("docker"):
            return self._docker(config)
        raise NoBroker(NOTHING)

    def _java(self) -> list[str]:
        options = [f"-Xmx{self._heap}", "-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        logging = f"-Dlog4j2.configurationFile={HERE / 'kafka' / 'log4j2.yaml'}"
        return ["java", *options, "-Xshare:auto", logging, "-cp", f"{jars()}/*"]

    def _docker(self, config: Path) -> list[str]:
        mounts = ["-v", f"{config.parent}:/mnt/shared/config", "-v", f"{self._data}:{self._data}"]
        self._container = f"kafka-for-tests-{self.port}"
        limits = ["--name", self._container, "--network", "host"]
        limits += ["--user", f"{os.getuid()}:{os.getgid()}"]
        return ["docker", "run", "--rm", *limits, "-e", f"CLUSTER_ID={CLUSTER}", *mounts, IMAGE]

    @property
    def _data(self) -> Path:
        return self._directory / "data"

    def _write_properties(self) -> Path:
        self._data.mkdir(parents=True, exist_ok=True)
        path = self._directory / "config" / "server.properties"
        path.parent.mkdir(exist_ok=True)
        values = self._defaults() | self._properties
        places = {"{port}": str(self.port), "{controller_port}": str(self._controller_port)}
        lines = [f"{name}={_filled(value, places)}\n" for name, value in values.items()]
        path.write_text("".join(lines))
        return path

    def _defaults(self) -> dict[str, str]:
        clients = "PLAINTEXT://127.0.0.1:{port}"
        controller = "" if self._joins else ",CONTROLLER://127.0.0.1:{controller_port}"
        return {
            "process.roles": "broker" if self._joins else "broker,controller",
            "node.id": str(self.node),
            "controller.quorum.voters": "1@127.0.0.1:{controller_port}",
            "controller.listener.names": "CONTROLLER",
            "listeners": clients + controller,
            "advertised.listeners": clients,
            "log.dirs": str(self._data),
            "offsets.topic.num.partitions": "4",
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.num.partitions": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            # A broker that was killed may come back at once.
            "broker.session.timeout.ms": "2000",
            "broker.heartbeat.interval.ms": "500",
            "group.min.session.timeout.ms": "1000",
            # As on real clusters, so that the tests notice a topic that nobody meant to create.
            "auto.create.topics.enable": "true",
            "num.partitions": "4",
            "delete.topic.enable": "true",
        }

    def _format(self, java: Sequence[str], config: Path) -> None:
        if (self._data / "meta.properties").exists():
            return
        command = [*java, "kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", str(config)]
        command += self._format_arguments
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NoBroker(f"formatting the broker's storage failed:\n{done.stdout}{done.stderr}")

    def _wait_for_start(self, seen: int, deadline: float) -> None:
        while time.monotonic() < deadline:
            with self.log.open() as log:
                log.seek(seen)
                if "Kafka Server started" in log.read():
                    return
            if not self.running:
                break
            time.sleep(0.05)
        self.close()
        raise NoBroker(f"the broker did not start; end of {self.log}:\n{_tail(self.log)}")

    @property
    def _pid_file(self) -> Path:
        return self._directory / "pid"

    def _signal(self, number: signal.Signals) -> None:
        if self._container is not None:
            command = ["docker", "kill", "--signal", number.name, self._container]
            subprocess.run(command, capture_output=True, check=False)
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(self._pid_file.read_text()), number)

    def _ended(self, within: float) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.wait(within)
        self._process.stdin.close()


def jars() -> Path:
    """The folder with the broker's jars, fetched by Maven when it is not there yet."""
    wanted = (HERE / "kafka" / "pom.xml").read_text()
    place = ROOT / ".cache" / "kafka"
    place.mkdir(parents=True, exist_ok=True)
    stamp = place / "pom.xml"
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            _fetch(place / "jars")
            stamp.write_text(wanted)
    return place / "jars"


def _fetch(place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    command = ["mvn", "-q", "-B", "-f", str(HERE / "kafka" / "pom.xml")]
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={place}"]
    done = subprocess.run([*command, *goal], capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoBroker(f"Maven could not fetch the broker:\n{done.stdout}{done.stderr}")


def free_port() -> int:
    """A port that nobody listens on, from below those that the system gives to connections: one of
    these could be taken before it is listened on. No other process of tests gets it meanwhile.
    """
    for port in _ports:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise NoBroker("every port from 12000 to 31999 is another process's")


def _own_ports() -> Iterator[int]:
    """Those of a range that this process locks until it ends, in turn."""
    ranges = [range(first, first + 500) for first in range(12_000, 32_000, 500)]
    for ports in RANDOM.sample(ranges, len(ranges)):
        path = Path(tempfile.gettempdir()) / f"ports-of-tests-{ports.start}"
        with contextlib.suppress(OSError), path.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            while True:
                yield from ports


_ports: Final = _own_ports()


def _filled(value: str, places: Mapping[str, str]) -> str:
    for place, text in places.items():
        value = value.replace(place, text)
    return value


def _tail(path: Path) -> str:
    return path.read_text()[-4000:]

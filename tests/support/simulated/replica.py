"""One replica: the worker as it is composed for a pod, over ports that stay in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from random import Random
from typing import Any

from forwarder.credentials import CredentialWatch
from forwarder.kafka.port import KafkaProblem
from forwarder.ops.logs import Level, Log, Value
from forwarder.ops.server import OpsServer
from forwarder.ops.status import Status
from forwarder.settings import Settings
from forwarder.worker import Roles, Surfaces, Worker
from tests.support.simulated.cluster import SimulatedCluster
from tests.support.simulated.loop import Process, VirtualLoop
from tests.support.simulated.vendors import ReplicaHttp, Vendors

Told = Callable[["Replica", Level, str, Mapping[str, Value]], None]


class _NoServer(OpsServer):
    """Nobody asks."""

    def __init__(self, status: Callable[[], Status]) -> None:
        self.look = status

    async def start(self) -> None:
        return

    async def stop(self) -> None:
        return


class _Worker(Worker):
    def __init__(self, settings: Settings, roles: Roles, surfaces: Surfaces) -> None:
        super().__init__(settings, roles, surfaces, "simulated")
        self._server = _NoServer(self._board.status)


class _Log(Log):
    """Tells every line, repeated or not."""

    def __init__(
        self, told: Callable[[Level, str, Mapping[str, Value]], None], clock: Callable[[], float]
    ) -> None:
        super().__init__(None, "info", clock)
        self._told = told

    def _repeatable(self, level: Level, action: Any, fields: dict[str, Value]) -> None:
        self._told(level, action, fields)


class Replica:
    """``ended``: how it ended, ``None`` while it runs. ``skew``: of its wall clock, seconds."""

    def __init__(
        self,
        name: str,
        settings: Settings,
        roles: Roles,
        cluster: SimulatedCluster,
        vendors: Vendors,
        loop: VirtualLoop,
        *,
        environ: Mapping[str, str],
        epoch: float,
        skew: float,
        told: Told,
        seed: str,
    ) -> None:
        self.name = name
        self.roles = roles
        self.ended: str | None = None
        self.crashed: BaseException | None = None
        self.stopping = False
        self.process = Process(name, loop)
        self._worker: Worker | None = None
        self._settings = settings
        self._cluster = cluster
        self._vendors = vendors
        self._environ = environ
        self._loop = loop
        self._wall = epoch + skew
        self._told = told
        self._seed = seed
        self.process.run(self._main())

    @property
    def alive(self) -> bool:
        return self.ended is None

    def stop(self) -> None:
        """As SIGTERM does."""
        self.stopping = True
        if self._worker is not None and self.alive:
            self.process.call(self._worker.stop)

    def kill(self) -> None:
        """As SIGKILL does."""
        if self.alive:
            self.process.kill()
            self._cluster.crash(self.name)
            self.ended = "killed"

    async def _main(self) -> None:
        try:
            self._worker = self._made()
            await self._worker.run()
            self._end("stopped")
        except KafkaProblem as problem:
            self._end(f"exit 1: {problem}")
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a fault of ours
            self.crashed = error
            self._end(f"crashed: {error!r}")

    def _now(self) -> float:
        return self._wall + self._loop.time()

    def _end(self, how: str) -> None:
        self.ended = how
        self.process.kill()
        self._cluster.crash(self.name)

    def _made(self) -> Worker:
        accounts = self._settings.accounts
        watch = CredentialWatch({n: a.secrets() for n, a in accounts.items()}, self._environ)
        watch.check(self._now())
        surfaces = Surfaces(
            kafka=self._cluster.client(self.name),
            http=ReplicaHttp(self._vendors, self.name),
            credentials=watch,
            log=_Log(partial(self._told, self), self._loop.time),
            now=self._now,
            clock=self._loop.time,
            random=Random(self._seed),
        )
        return _Worker(self._settings, self.roles, surfaces)

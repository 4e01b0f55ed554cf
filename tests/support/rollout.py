"""Replicas as a Kubernetes Deployment runs them: probed, replaced by surge, ended by SIGTERM."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

import aiohttp
import yaml

from tests.manifests.objects import K8S
from tests.support.deployment import Deployment, WorkerProcess
from tests.support.load import running

MANIFEST = K8S / "base/worker/deployment.yaml"
PROBE_EVERY = 0.05
NOBODY = 0
"""In place of a status: nothing listens there."""


def pod() -> dict[str, Any]:
    """What the manifest says of each pod."""
    found: dict[str, Any] = yaml.safe_load(MANIFEST.read_text())["spec"]["template"]["spec"]
    return found


@dataclass
class Pod:
    """A replica's life. ``ready_after``, ``drained_in``: seconds. ``before``, ``after``: the
    changes of what its readiness probe saw, up to SIGTERM and from then on."""

    worker: WorkerProcess
    ready_after: float
    drained_in: float | None = None
    before: list[int] = field(default_factory=list)
    after: list[int] = field(default_factory=list)

    @property
    def told_to_stop(self) -> bool:
        return self.drained_in is not None

    def probed(self, status: int) -> None:
        seen = self.after if self.told_to_stop else self.before
        if seen[-1:] != [status]:
            seen.append(status)


class Rollout:
    """``async with Rollout(deployment) as rollout:`` changes how many replicas run, and which.

    Ends each with SIGTERM: it must exit 0 within the manifest's grace period.
    """

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._grace = float(pod()["terminationGracePeriodSeconds"])
        self._probes: list[asyncio.Task[None]] = []
        self.pods: list[Pod] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        for probe in self._probes:
            probe.cancel()
        await asyncio.gather(*self._probes, return_exceptions=True)

    async def scale(self, replicas: int) -> None:
        """To so many: new ones all together, or the youngest ended all together."""
        now = self._running()
        await asyncio.gather(*(self._start() for _ in range(replicas - len(now))))
        await asyncio.gather(*(self._end(pod) for pod in now[replicas:]))

    async def replace_all(self, settle: float) -> None:
        """``maxSurge: 1, maxUnavailable: 0``: one more, and when it has been ready for ``settle``
        seconds (``minReadySeconds``), the oldest is told to stop. Nobody waits for its end: the
        next one starts meanwhile.
        """
        ending = []
        for old in self._running():
            await self._start()
            await asyncio.sleep(settle)
            ending.append(asyncio.create_task(self._end(old)))
        await asyncio.gather(*ending)

    def _running(self) -> list[Pod]:
        alive = running(self._deployment)
        return [pod for pod in self.pods if pod.worker in alive]

    async def _start(self) -> None:
        began = time.monotonic()
        worker = await self._deployment.start()
        pod = Pod(worker, time.monotonic() - began)
        self.pods.append(pod)
        self._probes.append(asyncio.create_task(self._probe(pod)))

    async def _end(self, pod: Pod) -> None:
        began = time.monotonic()
        pod.drained_in = 0.0
        pod.worker.terminate()
        assert await pod.worker.ended(self._grace) == 0, pod.worker.tail()
        pod.drained_in = time.monotonic() - began

    async def _probe(self, pod: Pod) -> None:
        """As the kubelet does, but more often."""
        async with aiohttp.ClientSession() as session:
            while pod.after[-1:] != [NOBODY]:
                told_to_stop = pod.told_to_stop
                status = await _status(session, f"{pod.worker.url}/readyz")
                if told_to_stop == pod.told_to_stop:  # else it may be an answer to either
                    pod.probed(status)
                await asyncio.sleep(PROBE_EVERY)


async def _status(session: aiohttp.ClientSession, url: str) -> int:
    try:
        async with session.get(url) as answer:
            return HTTPStatus(answer.status)
    except aiohttp.ClientError:
        return NOBODY

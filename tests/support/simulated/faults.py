"""What goes wrong, and what an orchestrator does about it."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from random import Random
from typing import Any, Final

from tests.support.simulated.cluster import SimulatedCluster
from tests.support.simulated.ledger import Ledger
from tests.support.simulated.loop import VirtualLoop
from tests.support.simulated.plan import Fault, Plan
from tests.support.simulated.replica import Replica
from tests.support.simulated.vendors import QUIET, Vendors

MOST: Final = 5
EACH: Final = 6.0
"""Seconds from one replica to the next in an upgrade."""
GRACE: Final = 60.0
"""Seconds from SIGTERM to SIGKILL."""


class Faults:
    """``start``: starts one more replica, with the roles of another one or by its own choice.
    ``upgrade``: those that start from now on have the new settings.
    """

    def __init__(
        self,
        plan: Plan,
        cluster: SimulatedCluster,
        vendors: Vendors,
        ledger: Ledger,
        loop: VirtualLoop,
        environ: MutableMapping[str, str],
        replicas: list[Replica],
        start: Callable[[Replica | None], None],
        upgrade: Callable[[], None],
    ) -> None:
        self._plan = plan
        self._cluster = cluster
        self._vendors = vendors
        self._ledger = ledger
        self._loop = loop
        self._environ = environ
        self._replicas = replicas
        self._start = start
        self._upgrade = upgrade
        self._latency = plan.latency
        self._random = Random(f"network {plan.seed}")
        self._topics = sorted(plan.settings.kafka.retry_topics)
        self._topics += [plan.settings.kafka.queue_topic(name) for name in plan.settings.accounts]
        self._topics.append(plan.settings.kafka.dead_letter_topic)
        self._calm = False

    def latency(self) -> float:
        """Of one way of one exchange with a broker."""
        return self._random.uniform(0.2, 1.0) * self._latency

    def strike(self, fault: Fault) -> None:
        self._ledger.say("fault", fault.kind, f"{fault.lasts:g} s")
        getattr(self, fault.kind)(fault)

    def calm(self) -> None:
        """End all faults."""
        self._ledger.say("calm")
        self._calm = True
        self._vendors.calm = True
        self._vendors.connecting = 0.0
        self._latency = self._plan.latency
        self._cluster.up()
        self._cluster.slow_acks(0.0)
        for topic in self._topics:
            self._cluster.slow_acks(0.0, topic)
            self._cluster.allow(topic)
        for replica in self._living():
            self._cluster.thaw(replica.name)
            if replica.process.frozen:
                replica.process.thaw()

    # -- replicas -------------------------------------------------------------------------------
    def kill(self, fault: Fault) -> None:
        if (victim := self._one(fault)) is not None:
            self._ledger.say("kill", victim.name)
            victim.kill()

    def kill_all(self, fault: Fault) -> None:
        for victim in self._living():
            victim.kill()

    def stop(self, fault: Fault) -> None:
        """A rolling update: the new one starts first, or the old one ends first."""
        if (victim := self._one(fault)) is not None:
            if fault.pick_too < 0.5:
                self._start(victim)
            self._end(victim)

    def upgrade(self, fault: Fault) -> None:
        """New settings, replica by replica."""
        self._upgrade()
        olds = [replica for replica in self._living() if not replica.stopping]
        for number, old in enumerate(olds):
            self._loop.call_later(EACH * number, self._replace, old, context=self._loop.outside)

    def _replace(self, old: Replica) -> None:
        if old.alive and not old.stopping:
            self._start(old)
            self._end(old)

    def scale_up(self, fault: Fault) -> None:
        if len(self._living()) < MOST:
            self._start(None)

    def scale_down(self, fault: Fault) -> None:
        victim = self._one(fault)
        if victim is not None and self._spare(victim):
            self._end(victim)

    def freeze(self, fault: Fault) -> None:
        if (victim := self._one(fault)) is None or victim.process.frozen:
            return
        self._ledger.say("freeze", victim.name)
        victim.process.freeze()
        self._later(fault, lambda: self._thaw(victim))

    def cut(self, fault: Fault) -> None:
        """From the coordinator: it still reads, writes and sends."""
        if (victim := self._one(fault)) is not None:
            self._ledger.say("cut", victim.name)
            self._cluster.partition_off(victim.name)
            self._later(fault, lambda: self._reconnect(victim))

    def isolate(self, fault: Fault) -> None:
        """From all brokers."""
        if (victim := self._one(fault)) is not None:
            self._ledger.say("isolate", victim.name)
            self._cluster.freeze(victim.name)
            self._later(fault, lambda: self._reconnect(victim))

    def deaf(self, fault: Fault) -> None:
        """Put out of its groups, and one of its consumers never joins again."""
        if (victim := self._one(fault)) is not None:
            self._ledger.say("deaf", victim.name)
            self._cluster.deafen(victim.name, fault.pick_too)
            self._cluster.partition_off(victim.name)
            after = self._plan.settings.delivery.session_timeout + 5
            self._loop.call_later(after, self._reconnect, victim, context=self._loop.outside)

    def _end(self, victim: Replica) -> None:
        self._ledger.say("stop", victim.name)
        victim.stop()
        self._loop.call_later(GRACE, victim.kill, context=self._loop.outside)

    def _thaw(self, victim: Replica) -> None:
        if victim.process.frozen and victim.alive:
            self._ledger.say("thaw", victim.name)
            victim.process.thaw()

    def _reconnect(self, victim: Replica) -> None:
        if victim.alive:
            self._ledger.say("reconnect", victim.name)
            self._cluster.thaw(victim.name)

    # -- Kafka ----------------------------------------------------------------------------------
    def brokers_down(self, fault: Fault) -> None:
        self._cluster.down()
        self._later(fault, self._cluster.up)

    def slow_acks(self, fault: Fault) -> None:
        topic = None if fault.pick < 0.3 else self._topic(fault)
        self._cluster.slow_acks(8 * fault.pick_too, topic)
        self._later(fault, lambda: self._cluster.slow_acks(0.0, topic))

    def refuse(self, fault: Fault) -> None:
        topic = self._topic(fault)
        self._cluster.refuse(topic)
        self._later(fault, lambda: self._cluster.allow(topic))

    def fence(self, fault: Fault) -> None:
        if (victim := self._one(fault)) is not None:
            self._ledger.say("fence", victim.name)
            self._cluster.fence(victim.name)

    def slow_network(self, fault: Fault) -> None:
        self._latency = 3 * fault.pick_too
        self._later(fault, self._fast_network)

    def _fast_network(self) -> None:
        self._latency = self._plan.latency

    def _topic(self, fault: Fault) -> str:
        return self._topics[int(fault.pick * len(self._topics))]

    # -- credentials ----------------------------------------------------------------------------
    def credential(self, fault: Fault) -> None:
        """A new key; the old one ends at once, or goes on until the new one is known."""
        names = sorted(self._plan.settings.accounts)
        name = names[int(fault.pick * len(names))]
        door = self._vendors.doors[name]
        key = f"key-of-{name}-{len(door.keys)}-{self._loop.time():.0f}"
        door.keys.append(key)
        if fault.pick_too < 0.5 and name != QUIET:
            del door.keys[:-1]
        self._ledger.say("credential", name)

        def known() -> None:
            self._environ[f"KEY_{name.upper()}"] = door.keys[-1]

        after = min(fault.lasts, self._plan.until - self._loop.time())
        self._loop.call_later(after, known, context=self._loop.outside)

    # -- choosing -------------------------------------------------------------------------------
    def _living(self) -> list[Replica]:
        return [replica for replica in self._replicas if replica.alive]

    def _one(self, fault: Fault) -> Replica | None:
        living = [replica for replica in self._living() if not replica.stopping]
        return living[int(fault.pick * len(living))] if living else None

    def _spare(self, victim: Replica) -> bool:
        same = [r for r in self._living() if r.roles == victim.roles and not r.stopping]
        return len(same) > 1

    def _later(self, fault: Fault, undo: Callable[[], Any]) -> None:
        def unless_calm() -> None:
            if not self._calm:
                self._ledger.say("end of", fault.kind)
                undo()

        self._loop.call_later(fault.lasts, unless_calm, context=self._loop.outside)

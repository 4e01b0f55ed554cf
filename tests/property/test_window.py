"""The window against a plain model: a dict of what is unfinished."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from forwarder.lane.delivery import Delivery
from forwarder.lane.window import Bounds, Window
from tests.unit.lane.fakes import record

BATCH = (3, 300)
BOUNDS = Bounds(span=60, seen=25, unfinished=18)


def delivery(offset: int, size: int) -> Delivery:
    return Delivery(record(offset), "o", 0, 0, 0, None, None, offset, size)


class WindowMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.window = Window(*BATCH, BOUNDS)
        self.unfinished: dict[int, Delivery] = {}
        self.seen: list[int] = []
        self.finished: set[int] = set()

    @rule(gap=st.integers(1, 9), size=st.integers(0, 250))
    def read(self, gap: int, size: int) -> None:
        offset = (self.seen[-1] if self.seen else 100) + gap
        added = delivery(offset, size)
        self.window.add(added)
        self.unfinished[offset] = added
        self.seen.append(offset)

    @precondition(lambda self: self.unfinished)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        offsets = data.draw(st.lists(st.sampled_from(sorted(self.unfinished)), unique=True))
        self.window.finish([self.unfinished.pop(offset) for offset in offsets])
        self.finished |= set(offsets)

    @precondition(lambda self: self.window.waiting)
    @rule(back=st.booleans())
    def take(self, back: bool) -> None:
        taken = self.window.next_waiting()
        if back:
            self.window.put_back(taken)

    @precondition(lambda self: self.finished)
    @rule(data=st.data())
    def a_second_end_is_an_error(self, data: st.DataObject) -> None:
        offset = data.draw(st.sampled_from(sorted(self.finished)))
        before = self.window.bytes
        try:
            self.window.finish([delivery(offset, 1)])
        except KeyError:
            assert self.window.bytes == before
        else:
            raise AssertionError("finished twice")

    @invariant()
    def the_watermark_is_the_lowest_unfinished(self) -> None:
        if not self.seen:
            assert self.window.watermark is None
        elif self.unfinished:
            assert self.window.watermark == min(self.unfinished)
        else:
            assert self.window.watermark == self.seen[-1] + 1

    @invariant()
    def it_counts_right(self) -> None:
        window = self.window
        assert len(window) == len(self.unfinished)
        assert window.bytes == sum(d.size for d in self.unfinished.values())
        assert window.highest_finished == max(self.finished, default=-1)
        assert window.waiting_bytes == sum(d.size for d in window.waiting)
        assert [d.offset for d in window.unfinished()] == sorted(self.unfinished)

    @invariant()
    def room_is_within_the_bounds(self) -> None:
        for allowance in (0, 200, 5000):
            if not self.window.room(allowance):
                continue
            assert len(self.unfinished) < BOUNDS.unfinished
            low = min(self.unfinished, default=self.seen[-1] if self.seen else 0)
            assert (self.seen[-1] if self.seen else 0) - low < BOUNDS.span
            one_batch = len(self.unfinished) <= BATCH[0] and self.window.bytes <= BATCH[1]
            assert one_batch or self.window.bytes < allowance

    @invariant()
    def a_batch_and_one_record_always_fit(self) -> None:
        fits = len(self.unfinished) <= BATCH[0] and self.window.bytes <= BATCH[1]
        low = min(self.unfinished, default=None)
        late = [o for o in self.seen if low is not None and o >= low]
        if fits and len(late) < BOUNDS.seen and (not late or late[-1] - late[0] < BOUNDS.span):
            assert self.window.room(0)


TestWindow = WindowMachine.TestCase
TestWindow.settings = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

"""Turns that are taken in before their answers begin: a piece at a time, or several short ones side by side. Used by one thread."""

from __future__ import annotations

from collections import deque

from pollux.engine.many.job import Job
from pollux.engine.many.shelf import Shelf
from pollux.engine.many.table import ANSWER, BESIDE, LEAST_BESIDE, MOST_BESIDE, ROOMS, Output, fitting, prefill, prefill_beside
from pollux.engine.runner import Runner, Turn


class Opening:
    """Requests whose turns are being taken in; true while there are some."""

    def __init__(self, runner: Runner, shelf: Shelf) -> None:
        self._runner, self._shelf = runner, shelf
        self._line: deque[Job] = deque()

    def __bool__(self) -> bool:
        return bool(self._line)

    def add(self, job: Job) -> None:
        """Put a request, whose entry is known, at the end of the line."""
        job.room = fitting(ROOMS, job.plan.turn.size + ANSWER)
        context, device = self._shelf.open(job.entry), self._shelf.device(job.entry)
        job.pieces = prefill(self._runner, context, device, job.plan.turn, job.room)
        self._line.append(job)

    def next(self) -> list[Job]:
        """Out of the line, the first and those that are best taken in with it; none where it is over."""
        first = self._line.popleft()
        if first.over:
            return []
        if first.plan.turn.size > BESIDE:
            return [first]
        found = [first, *(job for job in self._line if _beside(first, job))][:MOST_BESIDE]
        if len(found) < LEAST_BESIDE:
            return [first]
        for job in found[1:]:
            self._line.remove(job)
        return found

    def work(self, jobs: list[Job]) -> list[tuple[Turn, Output]]:
        """Take in what `next` gave. Of each its turn, of one row, and what comes next; nothing where it is not whole yet."""
        first = jobs[0]
        if len(jobs) > 1:
            turns = [job.plan.turn for job in jobs]
            context, device = self._shelf.open(first.entry), self._shelf.device(first.entry)
            return prefill_beside(self._runner, context, device, turns, first.room)
        found = next(first.pieces)
        if found is None:
            self._line.append(first)
            return []
        return [found]


def _beside(first: Job, job: Job) -> bool:
    return not job.over and job.plan.turn.size <= BESIDE and job.entry is first.entry and job.room == first.room

"""Asks everything of two installations, as everybody who is not the victim, and notes what should not be."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from tests.isolation.answers import Answer, canaries, comparable, difference, send, told
from tests.isolation.cases import Case, Request, cases_of
from tests.isolation.document import Operation, operations
from tests.isolation.known import COUNTS_ATTEMPTS, ENDS_SESSIONS, TOUCHES, UNCOMPARED
from tests.isolation.rows import changes, snapshot, table_of
from tests.isolation.worlds import ASKER, IDLE, STEP, World

ACCEPTED = range(200, 300)
FULL = ("live", "admin")
"""Credentials that every case may be asked with: a key, and somebody who logged in as the organisation's admin."""

SOME = ("reader", "project", "engineer")
"""Credentials that are asked with what the victim would ask, and with their own."""

_SILENT = Request("GET", "", (), {}, None)
REFUSED = ("revoked", "victim's revoked", "unknown", "none")
_UNKNOWN = "sk_live_00000000_" + "0" * 43


@dataclass
class Findings:
    """What came of the matrix: counts, and what should not be, in words."""

    asked: Counter[str] = field(default_factory=Counter)
    """Who → how many requests."""

    controls: int = 0
    canaries: int = 0
    statuses: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    """Operation as the asker's admin → statuses."""

    leaks: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    admitted: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    uncovered: list[str] = field(default_factory=list)
    never_accepted: set[str] = field(default_factory=set)
    owner_only: set[str] = field(default_factory=set)
    failed_controls: list[str] = field(default_factory=list)
    recognised: set[str] = field(default_factory=set)
    """Operations whose answers to the victim hold its texts: a leak there would have been noticed."""

    noticed: list[str] = field(default_factory=list)
    """What the victim changed itself: a stranger's change would have been noticed."""


class Matrix:
    """`full` has the victim, `bare` is the same without it. `every` credential of `FULL` that asks all, the others
    ask what the victim would and what is their own.
    """

    def __init__(self, full: World, bare: World, every: Sequence[str] = FULL) -> None:
        self.full, self.bare = full, bare
        self._every, self._some = every, (*(kind for kind in FULL if kind not in every), *SOME)
        self.found = Findings()
        self._before = snapshot(full.url)
        self._secrets = canaries(full, self._before, snapshot(bare.url))
        self.found.canaries = len(self._secrets)

    def run(self) -> Findings:
        """Everything: those who are not the victim first, then the victim itself."""
        cases: list[tuple[Operation, list[Case]]] = []
        for operation in operations():
            try:
                cases.append((operation, cases_of(operation, self.full.victim)))
            except KeyError as error:
                self.found.uncovered.append(f"{operation}: known.py does not say what {error} is")
        for operation, of_one in cases:
            self._strangers(operation, of_one)
        for operation, of_one in cases:
            self._control(operation, of_one)
        self.found.noticed = changes(self._before, snapshot(self.full.url), mine={ASKER, IDLE})
        return self.found

    def _strangers(self, operation: Operation, cases: list[Case]) -> None:
        accepted = False
        for case in cases:
            for kind in self._every:
                status = self._ask_both(case, kind)
                accepted |= case.own and status in ACCEPTED
                if kind == "admin":
                    self.found.statuses[str(operation)][status] += 1
            if case.matching or case.own:
                for kind in self._some:
                    self._ask_both(case, kind)
        for case in (c for c in cases if (c.matching or c.own) and operation.reads):
            self._ask_both(case, "live", tenant=IDLE)
        if operation.protected:
            self._refused([case for case in cases if case.matching or case.own])
        self.full.settle()
        after = snapshot(self.full.url)
        may = TOUCHES.get(str(operation), set())
        changed = [c for c in changes(self._before, after, mine={ASKER, IDLE}) if table_of(c) not in may]
        self.found.changed += [f"{operation}: {change}" for change in changed]
        self._before = after
        if not accepted:
            self.found.never_accepted.add(str(operation))

    def _ask_both(self, case: Case, kind: str, *, tenant: str = ASKER) -> int:
        """The same request in both installations: what comes back is the same, and nothing of the victim's."""
        answers, requests = [], []
        later = timedelta(hours=1) if case.operation.path.startswith(COUNTS_ATTEMPTS) else STEP
        self.full.clock.now = self.bare.clock.now = max(self.full.clock.now, self.bare.clock.now) + later
        for world in (self.full, self.bare):
            if case.operation.path.startswith("/api/v1/audit"):
                world.settle()
            requests.append(case.request(world.asker))
            answers.append(send(world, requests[-1], world.tenants[tenant].bearer(kind)))
            if str(case.operation) in ENDS_SESSIONS:
                world.asker.forget_log_ins()
        self._judge(case, f"{tenant}'s {kind}", requests[0], answers)
        return answers[0].status

    def _judge(self, case: Case, who: str, request: Request, answers: list[Answer]) -> None:
        self.found.asked[who] += 1
        name = f"{case.operation} [{case.label}] as {who}"
        full, bare = answers
        if full.status >= 500:
            self.found.errors.append(f"{name}: {full.status} {full.text[:200]}")
        if found := told(full, request, self._secrets, bare.everything):
            self.found.leaks.append(f"{name}: {full.status} tells {found[:5]}: {full.text[:300]}")
        if case.operation.path in UNCOMPARED:
            return
        if where := difference(comparable(full), comparable(bare)):
            self.found.differences.append(f"{name}: {where}")

    def _refused(self, cases: list[Case]) -> None:
        """Credentials that are none: 401, whatever is asked for."""
        credentials = {
            "revoked": self.full.asker.credentials["revoked"],
            "victim's revoked": self.full.victim.credentials["revoked"],
            "unknown": _UNKNOWN,
            "none": None,
        }
        for case in cases:
            for kind, credential in credentials.items():
                request = case.request(self.full.victim, fresh=False)
                answer = send(self.full, request, credential)
                self.found.asked[kind] += 1
                if answer.status != 401:
                    self.found.admitted.append(f"{case.operation} [{case.label}] as {kind}: {answer.status}")
                if found := told(answer, request, self._secrets, ""):
                    self.found.leaks.append(f"{case.operation} as {kind}: tells {found[:5]}")

    def _control(self, operation: Operation, cases: list[Case]) -> None:
        """The victim itself, and where it may not the owner, succeeds with what the strangers asked."""
        victim = self.full.victim
        for case in (c for c in cases if c.matching or c.own):
            used = case
            if case.matching and not operation.reads:  # another control may have ended the thing: a new one
                used = replace(case, path=cases[0].path)
            statuses: dict[str, int] = {}
            for kind in ("live", "admin", "owner"):
                if kind == "owner" and any(status in ACCEPTED for status in statuses.values()):
                    break
                self.full.clock.now += timedelta(hours=1)
                credential = self.full.server.keys["owner"] if kind == "owner" else victim.bearer(kind)
                answer = send(self.full, used.request(victim), credential)
                if str(operation) in ENDS_SESSIONS:
                    victim.forget_log_ins()
                statuses[kind] = answer.status
                if answer.status in ACCEPTED:
                    self.found.controls += 1
                    if told(answer, _SILENT, self._secrets, ""):
                        self.found.recognised.add(str(operation))
                    if kind == "owner":
                        self.found.owner_only.add(str(operation))
            if not any(status in ACCEPTED for status in statuses.values()):
                self.found.failed_controls.append(f"{operation} [{case.label}]: {statuses}")

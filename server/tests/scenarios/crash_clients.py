"""Clients that never give up: each remembers what was acknowledged, and sends again what was not, under the same key."""

import http.client
import json
import random
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

MODELS = (
    ("openai", "gpt-4o"),
    ("openai", "gpt-5-mini"),
    ("anthropic", "claude-sonnet-4-5"),
    ("google", "gemini-2.5-flash"),
    ("openai", "a-model-without-a-price"),
)
SINGLE_SHARE = 0.7
_PAUSE_SECONDS = 0.02
_TIMEOUT_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What the server said of one record. `cost` is None where it had no price."""

    organization_id: str
    usage_id: str
    cost: Decimal | None


@dataclass(slots=True)
class Memory:
    """What all clients know, under the idempotency keys that they made up."""

    sent: set[str] = field(default_factory=set)
    acknowledged: dict[str, Acknowledged] = field(default_factory=dict)
    contradictions: list[str] = field(default_factory=list)
    """Where a second answer for a key differed from the first."""


class Client(threading.Thread):
    """Sends single records and batches, one request at a time, while `running` is set; `draining`: nothing new."""

    def __init__(self, memory: Memory, *, number: int, port: int, organization_id: str, key: str) -> None:
        super().__init__(name=f"client-{number}", daemon=True)
        self._memory = memory
        self._port = port
        self._organization_id = organization_id
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._chance = random.Random(number)
        self._number = number
        self._made = 0
        self._connection: http.client.HTTPConnection | None = None
        self.unanswered: deque[list[dict[str, Any]]] = deque()
        self.running = threading.Event()
        self.idle = threading.Event()
        self.draining = False
        self.ended = False
        self.failure: Exception | None = None

    def run(self) -> None:
        """Send until told to end, or until the server says what it must not: then `failure` holds that."""
        try:
            self._run()
        except Exception as error:  # noqa: BLE001 (the scenario raises it)
            self.failure = error
        finally:
            self._hang_up()
            self.idle.set()

    def _run(self) -> None:
        while not self.ended:
            if not self.running.is_set() or (self.draining and not self.unanswered):
                self.idle.set()
                self.running.wait(_PAUSE_SECONDS)
                time.sleep(_PAUSE_SECONDS if self.draining else 0)
                continue
            records = self.unanswered.popleft() if self.unanswered else self._made_records()
            try:
                answered = self._send(records)
            except (OSError, http.client.HTTPException):
                self._hang_up()
                answered = False
            if not answered:
                self.unanswered.append(records)
                time.sleep(_PAUSE_SECONDS)

    def pause(self) -> None:
        """Stop sending; returns when nothing is in the air. Raises what it failed with."""
        self.running.clear()
        self.idle.clear()
        if self.failure is not None or not self.is_alive():
            raise AssertionError(f"{self.name} has ended") from self.failure
        if not self.idle.wait(_TIMEOUT_SECONDS * 2):
            raise TimeoutError(f"{self.name} still waits for an answer")

    def resume(self) -> None:
        """Go on sending."""
        self.idle.clear()
        self.running.set()

    def _send(self, records: list[dict[str, Any]]) -> bool:
        """Whether the server has answered for all of them. Raises OSError where it went away."""
        single = len(records) == 1
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_TIMEOUT_SECONDS)
        body = json.dumps(records[0] if single else {"records": records})
        self._connection.request("POST", f"/api/v1/usage{'' if single else '/batch'}", body, self._headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status == 503:
            return False
        if answer.status not in (200, 201):
            raise AssertionError(f"unexpected answer {answer.status}: {content[:500]!r}")
        data = json.loads(content, parse_float=Decimal, parse_int=Decimal)["data"]
        results = [data] if single else data["results"]
        # Some of a batch may be refused for a reason of the database's: those are sent again, with the rest.
        for record, result in zip(records, results, strict=True):
            if "usage_id" in result:
                self._remember(record["idempotency_key"], result)
        return all("usage_id" in result for result in results)

    def _remember(self, key: str, result: dict[str, Any]) -> None:
        said = result["cost"]  # of a single record with its parts, in a batch the total alone
        cost = said["total_cost"] if isinstance(said, dict) else said
        found = Acknowledged(self._organization_id, result["usage_id"], cost)
        before = self._memory.acknowledged.setdefault(key, found)
        if before != found:
            self._memory.contradictions.append(f"{key}: first {before}, then {found}")

    def _made_records(self) -> list[dict[str, Any]]:
        chance = self._chance
        count = 1 if chance.random() < SINGLE_SHARE else chance.randrange(2, 80)
        return [self._record() for _ in range(count)]

    def _record(self) -> dict[str, Any]:
        self._made += 1
        key = f"client-{self._number}-{self._made}"
        self._memory.sent.add(key)
        provider, model_id = self._chance.choice(MODELS)
        prompt = self._chance.randrange(1, 20_000)
        return {
            "organization_id": self._organization_id,
            "provider": provider,
            "model_id": model_id,
            "input_tokens": prompt,
            "cached_tokens": self._chance.randrange(prompt) if self._chance.random() < 0.44 else 0,
            "output_tokens": self._chance.randrange(1, 2_000),
            "timestamp": (datetime.now(UTC) - timedelta(minutes=self._chance.randrange(4_000))).isoformat(),
            "idempotency_key": key,
            "project_id": f"project-{self._chance.randrange(3)}",
            "user_id": f"user-{self._chance.randrange(20)}",
            "tags": {"feature": f"feature-{self._chance.randrange(4)}"},
            # The key again, where the ledger keeps it as it is: what is stored twice is seen twice.
            "metadata": {"key": key},
        }

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

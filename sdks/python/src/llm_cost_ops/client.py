"""`CostOpsClient`: the ledger, asked and told from Python."""

from __future__ import annotations

import copy
import os
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Optional, Union

from llm_cost_ops._requests import Call
from llm_cost_ops._transport import Transport
from llm_cost_ops.delivery.settings import DeliverySettings
from llm_cost_ops.exceptions import SettingsError
from llm_cost_ops.forking import tell_in_child
from llm_cost_ops.notices import NOTICES
from llm_cost_ops.resources.synchronous.calling import Caller
from llm_cost_ops.resources.synchronous.surface import Surface
from llm_cost_ops.settings import Settings, check_numbers, resolve
from llm_cost_ops.tracking import Delivery, Tracker

if TYPE_CHECKING:
    import httpx2
    from typing_extensions import Self

    from llm_cost_ops.estimates import Estimate
    from llm_cost_ops.sums import Spent

_DEFAULT: list[CostOpsClient] = []
_DEFAULT_LOCK = threading.Lock()


class CostOpsClient(Surface):
    """A client of one organisation. Safe to share between threads; close it, or use it in a `with` block."""

    def __init__(  # noqa: PLR0917  (in the order that the contract has)
        self,
        api_key: Optional[str] = None,
        base_url: Optional[str] = None,
        organization_id: Optional[str] = None,
        default_pricing: Optional[Mapping[str, Any]] = None,
        timeout: Optional[float] = None,
        max_retries: Optional[int] = None,
        *,
        delivery: Union[Delivery, DeliverySettings, None] = None,
        http_transport: Optional[httpx2.BaseTransport] = None,
    ) -> None:
        """What is not given is taken from COST_OPS_API_KEY, COST_OPS_API_URL and COST_OPS_ORGANIZATION.

        `default_pricing`, such as `{"input_price_per_1k": "0.01", "output_price_per_1k": "0.03"}`, estimates what has
        no known price. `timeout` is in seconds, for each attempt (30); `max_retries` come after the first one (2).
        """
        self.settings: Settings = resolve(
            api_key,
            base_url,
            organization_id,
            default_pricing=default_pricing,
            timeout=timeout,
            max_retries=max_retries,
        )
        self._place = f"at {self.settings.base_url}"
        self.transport = Transport(self.settings, http_transport)
        self._caller = Caller(self.transport, self.settings)
        self._root = self
        if isinstance(delivery, Mapping):
            raise SettingsError("settings of delivery are made as delivery=DeliverySettings(spool=…, when_full=…)")
        self._delivery = delivery
        self._tracker: Optional[Tracker] = None
        self.after_fork()
        tell_in_child(self)

    def after_fork(self) -> None:
        """No lock that a thread of the parent holds."""
        self._lock = threading.RLock()

    @classmethod
    def local(
        cls, path: Union[str, os.PathLike[str]] = "cost-ops.db", organization_id: str = "local", **options: Any
    ) -> Self:
        """A client of a ledger in a file, without a server: the file is made at first. `options` as of the class.

        It needs the distribution `cost-ops-server`. Raises SettingsError where that is not there, or the file is none.
        """
        from llm_cost_ops.local import opened

        transport, base_url, key = opened(path, organization_id)
        client = cls(key, base_url, organization_id, http_transport=transport, **options)
        client._place = f"in {os.fspath(path)}"
        return client

    @property
    def tracker(self) -> Tracker:
        """What `track` and the instrumentors give their records to."""
        tracker = self._root._tracker  # every call comes by here, also from a signal's handler: no lock
        if tracker is not None:
            return tracker
        if self._root is not self:
            return self._root.tracker
        with self._lock:
            if self._tracker is None:
                from llm_cost_ops.totals import listen

                tracker = Tracker(self._made_delivery())
                listen(tracker.delivery, self.settings)
                self._tracker = tracker
            return self._tracker

    def _made_delivery(self) -> Delivery:
        given = self._delivery
        if given is not None and not isinstance(given, DeliverySettings):
            return given
        from llm_cost_ops.delivery.background import BackgroundDelivery

        return BackgroundDelivery(self.transport, self.settings, self._caller.organization, given)

    @property
    def delivery(self) -> Any:
        """Where tracked calls go; `client.delivery.counters` says what became of them."""
        return self.tracker.delivery

    @property
    def totals(self) -> Spent:
        """What this process has spent so far through clients of this key: `print(client.totals)`."""
        from llm_cost_ops.totals import totals_of

        return totals_of(self.settings).now

    def estimate(
        self,
        model: str,
        messages_or_tokens: Any,
        *,
        max_output_tokens: Optional[int] = None,
        provider: Optional[str] = None,
    ) -> Estimate:
        """What a call would cost, by the ledger's prices, before it is made; nothing is recorded.

        Tokens are exact: a number of input tokens, or counts such as `{"input_tokens": 900, "cached_tokens": 500}`.
        Texts and messages are counted roughly, and the estimate says so. Raises NotFoundError where no price is known.
        """
        from llm_cost_ops.estimates import estimate

        return estimate(self, model, messages_or_tokens, max_output_tokens=max_output_tokens, provider=provider)

    def track(self, **fields: Any) -> None:
        """Record usage in the background. Returns at once and raises nothing."""
        try:
            tracker = self.tracker
        except Exception as error:  # noqa: BLE001  (such as a signal's handler that tracks while we are first imported)
            NOTICES.warn("tracking", f"a call was not tracked: {type(error).__name__}: {error}")
            return
        tracker.track(fields)

    def flush(self, timeout: Optional[float] = None) -> bool:
        """Wait until all that was tracked is in the ledger; whether it is."""
        return self.tracker.delivery.flush(timeout)

    def with_options(
        self,
        *,
        timeout: Optional[float] = None,
        max_retries: Optional[int] = None,
        headers: Optional[Mapping[str, str]] = None,
    ) -> Self:
        """This client with other options, over the same connections: `client.with_options(timeout=2).costs.get()`."""
        other = copy.copy(self)
        other.settings = changed(self.settings, timeout, max_retries)
        more = {**self._caller.headers, **(headers or {})}
        other._caller = Caller(self.transport, other.settings, more, known=self._caller.known)
        return other

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Optional[Mapping[str, Any]] = None,
        json: Optional[Mapping[str, Any]] = None,
        repeatable: Optional[bool] = None,
    ) -> Any:
        """One request under /api/v1, and its JSON with decimal numbers as Decimal: for routes without a method here.

        `repeatable` says that asking twice does what asking once does, so that it may be retried whatever happened; by
        default it does for GET. Raises ApiError, ConnectionError.
        """
        return self._caller.call(Call(method, path, _as_it_is, params or {}, json, repeatable))

    def close(self) -> None:
        """Deliver what is waiting and close the connections. What `with_options` made is closed with its client."""
        if self._root is not self:
            return
        if self._tracker is not None:
            self._tracker.delivery.close()
        self.transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *why: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.settings.organization_id or 'the key'} {self._place}>"


def changed(settings: Settings, timeout: Optional[float], max_retries: Optional[int]) -> Settings:
    """Settings with other numbers. Raises SettingsError where they are out of range."""
    other = replace(
        settings,
        timeout=settings.timeout if timeout is None else timeout,
        max_retries=settings.max_retries if max_retries is None else max_retries,
    )
    check_numbers(other.timeout, other.max_retries)
    return other


def _after_fork() -> None:
    global _DEFAULT_LOCK  # noqa: PLW0603  (a thread of the parent may hold it)
    _DEFAULT_LOCK = threading.Lock()
    NOTICES.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _as_it_is(body: Any) -> Any:
    return body


def default_client() -> CostOpsClient:
    """The client that the environment describes, made once. Raises SettingsError where there is no key."""
    with _DEFAULT_LOCK:
        if not _DEFAULT:
            _DEFAULT.append(CostOpsClient())
        return _DEFAULT[0]

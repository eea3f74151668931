"""What openai and anthropic have in common: one generator makes both libraries, and each call goes through `request`.

So one method is patched for synchronous calls and one for asynchronous ones, and with them every resource, beta and raw
ones too, and clients that were made before.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any, Callable, Optional, TypeVar

from llm_cost_ops.exceptions import SpendLimitExceeded
from llm_cost_ops.instrumentation.active import hand_on, tracker_of
from llm_cost_ops.instrumentation.bodies import listen
from llm_cost_ops.instrumentation.measuring import Measured
from llm_cost_ops.instrumentation.patching import patch, patch_on
from llm_cost_ops.instrumentation.skeletons import says_usage, skeleton

_IN_WORK = ("queued", "in_progress")
_REQUEST_IDS = ("x-request-id", "request-id", "apim-request-id", "x-amzn-requestid")
Answer = TypeVar("Answer")
_NO_USAGE = "its answer says nothing of usage"


class Call:
    """A call that is paid for: how it is measured, and what of it is ours."""

    __slots__ = ("background", "hide_usage", "known", "measured", "taken_back")

    def __init__(self, measured: Measured, **known: Any) -> None:
        """`known`: fields of the record that the answer does not say."""
        self.measured = measured
        self.known = known
        self.hide_usage = False
        """Whether we asked for the chunk with a stream's usage, and the application did not."""
        self.taken_back: Optional[Callable[[BaseException], bool]] = None
        """Asked where the call failed: whether it failed because of us, and what we did is undone."""
        self.background = False
        """Whether this looks up an answer, which is paid for only where it was made in the background."""

    def is_to_blame(self, error: BaseException) -> bool:
        """Whether the call failed because of what we did to it, which is undone then."""
        return self.taken_back is not None and self.taken_back(error)

    def answered(self, answer: Answer) -> Answer:
        """The provider answered; its answer. Raises nothing."""
        try:
            http = _http_response(answer)
            if http is None:
                self._told(skeleton(answer), getattr(answer, "_request_id", None))
            else:
                self._answered(http)
        except Exception as error:  # noqa: BLE001  (whatever it is, it is not the application's)
            self.measured.failed(error)
        return answer

    def _answered(self, http: Any) -> None:
        request_id = next((http.headers[name] for name in _REQUEST_IDS if name in http.headers), None)

        def told(said: Any) -> None:
            try:
                self._told(
                    [skeleton(event) for event in said] if isinstance(said, list) else skeleton(said), request_id
                )
            except Exception as error:  # noqa: BLE001  (whatever it is, it is not the application's)
                self.measured.failed(error)

        if not hasattr(http, "_content"):
            listen(http, told, hide_usage=self.hide_usage)
        elif "json" in http.headers.get("content-type", ""):
            told(http.json())
        else:
            told(None)

    def _told(self, kept: Any, request_id: Optional[str]) -> None:
        """What was told of the call: a skeleton, or those of a stream's events."""
        if self.background and not _is_of_background(kept):
            return
        if any(map(says_usage, kept)) if isinstance(kept, list) else says_usage(kept):
            more = {} if request_id is None else {"metadata": {"provider_request_id": str(request_id)}}
            self.measured.done(kept, **self.known, **more)
        elif isinstance(kept, list) or kept.get("status") not in _IN_WORK:
            self.measured.without_usage(_NO_USAGE)


Begin = Callable[[Any, Any, Any], Optional[Call]]
"""`begin(tracker, client, options)`: a library's call has begun; None where it is not paid for."""


def install(package: str, begin: Begin) -> Callable[[], None]:
    """Track the calls of a library, and return what takes that off again."""

    def around(original: Any, client: Any, args: Any, kwargs: Any) -> Any:
        call = _begun(begin, client, args, kwargs)
        if call is None:
            return original(client, *args, **kwargs)
        try:
            return call.answered(original(client, *args, **kwargs))
        except Exception as error:
            if not call.is_to_blame(error):
                raise
        return call.answered(original(client, *args, **kwargs))

    async def aaround(original: Any, client: Any, args: Any, kwargs: Any) -> Any:
        call = _begun(begin, client, args, kwargs)
        if call is None:
            return await original(client, *args, **kwargs)
        try:
            return call.answered(await original(client, *args, **kwargs))
        except Exception as error:
            if not call.is_to_blame(error):
                raise
        return call.answered(await original(client, *args, **kwargs))

    base = f"{package}._base_client"
    off = [patch(base, "SyncAPIClient.request", around), patch(base, "AsyncAPIClient.request", aaround)]
    off += [patch_on(owner, name, _copied) for owner, name in _copying(base)]

    def take_off() -> None:
        for one in off:
            one()

    return take_off


def _begun(begin: Begin, client: Any, args: Any, kwargs: Any) -> Optional[Call]:
    tracker = tracker_of(client)
    if tracker is None:
        return None
    try:
        options = kwargs["options"] if "options" in kwargs else args[1]
        return begin(tracker, client, options)
    except SpendLimitExceeded:
        raise
    except Exception as error:  # noqa: BLE001  (whatever it is, it is not the application's)
        tracker.failed(error)
        return None


def _copied(original: Any, client: Any, args: Any, kwargs: Any) -> Any:
    """`client.with_options(…)`: what holds for the client holds for its copy."""
    copied = original(client, *args, **kwargs)
    hand_on(client, copied)
    return copied


def _copying(base: str) -> Iterator[tuple[Any, str]]:
    module = import_module(base)
    waiting = [module.SyncAPIClient, module.AsyncAPIClient]
    while waiting:
        owner = waiting.pop()
        waiting += owner.__subclasses__()
        yield from ((owner, name) for name in ("copy", "with_options") if name in vars(owner))


def _http_response(answer: Any) -> Any:
    """The HTTP response in a raw answer or a stream; None where the library has read it and made an object of it."""
    known = getattr(answer, "__dict__", {})
    for found in (known.get("http_response"), known.get("response"), answer):
        if hasattr(found, "iter_bytes") and hasattr(found, "headers"):
            return found
    return None


def _is_of_background(kept: Any) -> bool:
    inner = kept[-1].get("response", {}) if isinstance(kept, list) else kept
    return inner.get("background") is True and says_usage(inner)

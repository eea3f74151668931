"""litellm: a callback that tells of every call, of `completion`, `acompletion`, embeddings, the Router and streams.

litellm calls back from threads of its own, where nobody knows whom a call belongs to: that is noted before the call.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import Context
from typing import Any, Callable, Optional

from llm_cost_ops.exceptions import SettingsError, SpendLimitExceeded
from llm_cost_ops.instrumentation.active import tracker_of
from llm_cost_ops.instrumentation.litellm_answers import NotTold, asked_model, billed_by, told
from llm_cost_ops.instrumentation.measuring import Measured
from llm_cost_ops.instrumentation.patching import patch
from llm_cost_ops.instrumentation.telling import Telling, put_telling
from llm_cost_ops.spend_limits import check_limits
from llm_cost_ops.tracking import Tracker

_BEGUN = "llm_cost_ops_begun"
_LISTS = (
    "callbacks",
    "input_callback",
    "success_callback",
    "failure_callback",
    "_async_input_callback",
    "_async_success_callback",
    "_async_failure_callback",
)


def install() -> Callable[[], None]:
    """Track all calls, and return what takes that off again."""
    import litellm

    callback = _callback()
    litellm.callbacks.append(callback)
    let_pass = patch("litellm.utils", "function_setup", _within_limits)

    def take_off() -> None:
        _remove(callback)
        let_pass()

    return take_off


def bearers(_client: Any) -> list[Any]:
    """litellm's routers have no calls of their own to know them by. Raises SettingsError."""
    raise SettingsError('litellm is tracked as a whole: llm_cost_ops.instrument(only=["litellm"])')


def _remove(callback: Any) -> None:
    import litellm

    for name in _LISTS:
        callbacks = getattr(litellm, name, None)
        if isinstance(callbacks, list):
            callbacks[:] = [one for one in callbacks if one is not callback]


def _callback() -> Any:
    from litellm.integrations.custom_logger import CustomLogger

    class CostOpsLogger(CustomLogger):  # type: ignore[misc]
        """Tells the ledger of the calls that litellm makes."""

        def log_pre_api_call(self, **call: Any) -> None:
            _begin(call["kwargs"])

        def log_post_api_call(self, **call: Any) -> None:
            _answered(call["kwargs"])

        def log_success_event(self, **call: Any) -> None:
            _end(call["kwargs"], call["response_obj"])

        async def async_log_success_event(self, **call: Any) -> None:
            _end(call["kwargs"], call["response_obj"])

    return CostOpsLogger()


def _within_limits(original: Callable[..., Any], name: Any, args: Any, kwargs: Any) -> Any:
    """What litellm does first in every call; a callback could not stop one."""
    if tracker_of() is not None:
        check_limits()
    return original(name, *args, **kwargs)


class _Below(Telling):
    """Hears of one call from the client below litellm; `outer` is the framework above it, whose call it is too."""

    __slots__ = ("_model",)

    def __init__(self, tracker: Tracker, model: Optional[str], outer: Optional[Telling]) -> None:
        super().__init__(tracker, {} if outer is None else outer.fields, outer)
        self._model = model

    def begun_by(self, tracker: Tracker, model: Optional[str]) -> bool:
        """The one call that litellm makes is of the model that it was asked for."""
        return not self.is_tracked and model == self._model and super().begun_by(tracker, model)


class _Begun:
    """A call that has begun: what is known around it, and whether a client below litellm tells of it."""

    def __init__(self, tracker: Tracker, kwargs: Mapping[str, Any]) -> None:
        outer = put_telling(None)
        while isinstance(outer, _Below):  # left there by a call before this one
            outer = outer.outer
        put_telling(outer)
        about = (tracker, billed_by(kwargs), asked_model(kwargs))
        try:
            self.measured = Measured(*about)
        except SpendLimitExceeded:  # reached since the call was let pass, and it will be paid for
            self.measured = Context().run(Measured, *about)
        self.tracker = tracker
        self.measured.will_be_late()
        self.telling = _Below(tracker, about[2], outer)
        put_telling(self.telling)
        self.answered = self.ended = False

    def __deepcopy__(self, memo: Any) -> _Begun:
        """litellm may copy what it knows of a call, and it is the same call."""
        return self


def _begin(kwargs: dict[str, Any]) -> None:
    tracker = tracker_of()
    if tracker is None:
        return
    try:
        kwargs[_BEGUN] = _Begun(tracker, kwargs)
    except Exception as error:  # noqa: BLE001  (whatever it is, it is not the application's)
        tracker.failed(error)


def _answered(kwargs: Mapping[str, Any]) -> None:
    """The provider answered, and litellm is about to return: what begins now is another call."""
    begun = kwargs.get(_BEGUN)
    if isinstance(begun, _Begun) and not begun.answered:
        begun.answered = True
        begun.telling.answered()


def _end(kwargs: Mapping[str, Any], response: Any) -> None:
    """A call succeeded. What litellm had in its own cache was never asked for, and has no beginning."""
    begun = kwargs.get(_BEGUN)
    if not isinstance(begun, _Begun) or begun.ended or kwargs.get("cache_hit") is True:
        return
    begun.ended = True
    try:
        if begun.telling.end(was_answered=begun.answered) or begun.telling.is_tracked:
            begun.measured.told_below()
        else:
            _tell(begun.measured, kwargs, response)
    except Exception as error:  # noqa: BLE001  (whatever it is, it is not the application's)
        begun.tracker.failed(error)


def _tell(measured: Measured, kwargs: Mapping[str, Any], response: Any) -> None:
    try:
        skeleton, fields = told(kwargs, response)
    except NotTold as error:
        if error.paid:
            measured.without_usage(str(error))
        return
    measured.done(skeleton, **fields)

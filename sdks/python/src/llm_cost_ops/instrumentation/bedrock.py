"""Amazon Bedrock by boto3: Converse, InvokeModel and their streams; aiobotocore and aioboto3 too.

Every call of botocore goes through one method, so clients that were made before are tracked as well. Prices depend on
the inference profile, which no response names: the model is the one that was called.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from importlib.util import find_spec
from typing import Any, Callable, Optional

from llm_cost_ops.instrumentation import answers
from llm_cost_ops.instrumentation.active import named_provider, tracker_of
from llm_cost_ops.instrumentation.answers import Answer
from llm_cost_ops.instrumentation.bedrock_answers import Converse, ConverseStream, Invoked, InvokedStream
from llm_cost_ops.instrumentation.bedrock_bodies import EventsOfAio, listen, listen_async
from llm_cost_ops.instrumentation.measuring import Measured

_SERVICE = "bedrock-runtime"
_OPERATIONS: dict[str, tuple[Callable[[Mapping[str, Any]], Answer], Optional[str]]] = {
    "Converse": (Converse, None),
    "ConverseStream": (ConverseStream, "stream"),
    "InvokeModelWithResponseStream": (InvokedStream, "body"),
}
"""By operation: what reads its answer, and where the stream is in it."""

_INVOKE = "InvokeModel"


def install() -> Callable[[], None]:
    """Track all calls, and return what takes that off again."""
    patches = [("botocore.client", "BaseClient._make_api_call", _call)]
    if find_spec("aiobotocore") is not None:
        patches.append(("aiobotocore.client", "AioBaseClient._make_api_call", _acall))
    return answers.patch_what_is_there(patches)


def _call(original: Callable[..., Any], self: Any, args: Any, kwargs: Any) -> Any:
    measured = _begin(self, args)
    response = original(self, *args, **kwargs)
    if measured is not None:
        _tell(measured, args[0], response, answers.watched, listen)
    return response


async def _acall(original: Callable[..., Any], self: Any, args: Any, kwargs: Any) -> Any:
    measured = _begin(self, args)
    response = await original(self, *args, **kwargs)
    if measured is not None:
        _tell(measured, args[0], response, partial(answers.awatched, kind=EventsOfAio), listen_async)
    return response


def _begin(client: Any, args: Any) -> Optional[Measured]:
    """A call of `_make_api_call(operation, parameters)`, if it is one that is paid for."""
    if len(args) != 2 or (args[0] not in _OPERATIONS and args[0] != _INVOKE):
        return None
    if client.meta.service_model.service_name != _SERVICE:
        return None
    tracker = tracker_of(client)
    if tracker is None:
        return None
    return Measured(tracker, named_provider(client) or "aws", plain_model_id(args[1].get("modelId")))


def _tell(measured: Measured, operation: str, response: Any, watched: Any, listening: Any) -> None:
    try:
        if operation == _INVOKE:
            invoked = Invoked(response)
            listening(response["body"], invoked, lambda: answers.tell(measured, invoked))
            return
        made, stream = _OPERATIONS[operation]
        answer = made(response)
        if stream is not None:
            response[stream] = watched(response[stream], measured, answer)
            return
    except Exception as error:  # noqa: BLE001  (whatever it is, it is not the application's)
        measured.failed(error)
        return
    answers.tell(measured, answer)


def plain_model_id(called: Any) -> Optional[str]:
    """The model or system profile that an ARN names, and anything else as it is.

    >>> plain_model_id("arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.amazon.nova-lite-v1:0")
    'eu.amazon.nova-lite-v1:0'
    """
    if not isinstance(called, str):
        return None
    resource = called.split(":", 5)[-1] if called.startswith("arn:") else ""
    kind, _, name = resource.partition("/")
    return name if kind in ("foundation-model", "inference-profile") else called

"""`instrument()`: every call of the provider clients that are installed is tracked from here on."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Callable, Optional, TypeVar

from llm_cost_ops.carrying import carry_into_threads, stop_carrying
from llm_cost_ops.exceptions import SettingsError
from llm_cost_ops.instrumentation.active import mark, name_provider, track_everywhere
from llm_cost_ops.instrumentation.hosts import say_hosts
from llm_cost_ops.instrumentation.on_import import when_imported
from llm_cost_ops.notices import NOTICES
from llm_cost_ops.tracking import Tracker

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from llm_cost_ops.client import CostOpsClient

_INSTRUMENTORS = {
    # what is installed: the module of ours that knows it
    "openai": "openai",
    "anthropic": "anthropic",
    "google.genai": "google_genai",
    "mistralai": "mistralai",
    "cohere": "cohere",
    "botocore": "bedrock",
    "litellm": "litellm",
}
_ALSO_CALLED = {"google-genai": "google.genai", "boto3": "botocore", "aioboto3": "botocore"}
"""What is written to install a package that is imported by another name."""
_Client = TypeVar("_Client")
_TAKE_OFF: dict[str, Callable[[], None]] = {}
_FAILED: set[str] = set()


def instrument(
    client: Optional[CostOpsClient] = None,
    *,
    only: Optional[Iterable[str]] = None,
    providers: Optional[Mapping[str, str]] = None,
    summary: bool = False,
) -> list[str]:
    """Track every call of the provider clients that are installed; which they are.

    `client` is the one that records are sent with, by default the one that `llm_cost_ops.default_client()` makes of the
    environment. `only` names packages, such as `["openai", "boto3"]`. `providers` says who bills at which host, such as
    `{"llm.example.com": "mistral"}`, for services of your own that speak OpenAI's or Anthropic's API. Calling it again
    changes the client and adds what is new. `summary` prints what was spent when the program ends, to standard error.
    Raises SettingsError where a name in `only` is not known, or nothing says where the ledger is.
    """
    names = list(_INSTRUMENTORS) if only is None else _known([only] if isinstance(only, str) else only)
    tracker = _tracker(client)
    for name in names:
        if _is_installed(name):
            _install(name)
    if providers is not None:
        say_hosts(providers)
    track_everywhere(tracker)
    carry_into_threads()
    if summary:
        from llm_cost_ops.summaries import summary_at_exit

        summary_at_exit()
    return [name for name in names if name in _TAKE_OFF and name not in _FAILED]


def wrap(
    provider_client: _Client, client: Optional[CostOpsClient] = None, *, provider: Optional[str] = None
) -> _Client:
    """Track the calls of one provider client, and return it. `client` as in `instrument`.

    `provider` is who bills, where the client's package and address do not say it: its name in the price catalogue.

    Raises SettingsError where it is a client of none of the packages that `instrument` knows, or of an unknown version.
    """
    known = _package_of(provider_client)
    tracker = _tracker(client)
    _install(known)
    if known in _FAILED:
        raise SettingsError(f"this version of {known} is not known to wrap(); the log says why")
    for bearer in _bearers(known, provider_client):
        mark(bearer, tracker)
        if provider is not None:
            name_provider(bearer, provider)
    return provider_client


def _known(given: Iterable[str]) -> list[str]:
    names = [_ALSO_CALLED.get(name, name) for name in given]
    for name in names:
        if name not in _INSTRUMENTORS:
            near = get_close_matches(str(name), _INSTRUMENTORS, 1)
            meant = f": {near[0]}? All" if near else "; all"
            raise SettingsError(f"{name!r} is not known to instrument(){meant} that it knows: {_names()}")
    return names


def _names() -> str:
    written = {imported: installed for installed, imported in reversed(_ALSO_CALLED.items())}
    return ", ".join(written.get(name, name) for name in _INSTRUMENTORS)


def _package_of(provider_client: Any) -> str:
    if isinstance(provider_client, type):
        raise SettingsError(f"wrap() takes a client, not its class: {provider_client.__name__}(…)")
    modules = [f"{kind.__module__}." for kind in type(provider_client).__mro__]
    known = next((one for one in _INSTRUMENTORS if any(name.startswith(f"{one}.") for name in modules)), None)
    if known is None:
        kind = f"{type(provider_client).__module__}.{type(provider_client).__qualname__}"
        raise SettingsError(f"wrap() takes a client of {_names()}, got a {kind.replace('builtins.', '')}")
    return known


def _tracker(client: Optional[CostOpsClient]) -> Tracker:
    from llm_cost_ops.client import default_client

    tracker = getattr(default_client() if client is None else client, "tracker", None)
    if tracker is None:
        raise SettingsError(f"instrument() takes a CostOpsClient, got a {type(client).__name__}")
    return tracker  # type: ignore[no-any-return]


def _install(name: str) -> None:
    """Put a package's instrumentor on, now or when the program imports it: what it never uses is not loaded for us."""
    if name in _TAKE_OFF:
        return
    put_on: list[Callable[[], None]] = []

    def now() -> None:
        try:
            put_on.append(_instrumentor(name).install())
        except Exception as error:  # noqa: BLE001  (a version that we do not know must not stop the program)
            _FAILED.add(name)
            NOTICES.warn(f"instrument {name}", f"{name} is not tracked: {type(error).__name__}: {error}")

    call_off = when_imported(_loaded_with(name), now)

    def take_off() -> None:
        call_off()
        for one in put_on:
            one()

    _TAKE_OFF[name] = take_off


def _loaded_with(name: str) -> str:
    """The module whose import brings a package's client: mistralai is a mere folder of packages since 2.0."""
    spec = find_spec(name)
    return name if spec is None or spec.origin is not None else f"{name}.client"


def _instrumentor(name: str) -> Any:
    return import_module(f"llm_cost_ops.instrumentation.{_INSTRUMENTORS[name]}")


def _bearers(name: str, provider_client: Any) -> list[Any]:
    """What a client's calls know it by: the client itself, or what its module says."""
    module = _instrumentor(name)
    found: list[Any] = module.bearers(provider_client) if hasattr(module, "bearers") else [provider_client]
    return found


def uninstrument() -> None:
    """Take everything off again that `instrument` put on."""
    track_everywhere(None)
    stop_carrying()
    say_hosts({})
    _FAILED.clear()
    while _TAKE_OFF:
        _TAKE_OFF.popitem()[1]()


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False

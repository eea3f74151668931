"""Why something is allowed or refused."""

from __future__ import annotations

from ipaddress import ip_address

from cost_ops.api.operations import Call, Routes
from cost_ops.api.parameters import Parameter, one_of, text
from cost_ops.api.parameters_known import ORGANIZATION, instant
from cost_ops.api.schemas.explained_access import ExplainedAccessAnswer, explained_access_view
from cost_ops.domain.access import KEY_FORM
from cost_ops.domain.decisions import DECIDED
from cost_ops.domain.errors import invalid
from cost_ops.services import explain_access
from cost_ops.services.explain_access import AccessQuestion

routes = Routes("Access")
_TEXT = {"type": "string", "minLength": 1, "maxLength": 256}


def _key_id(value: str, name: str) -> str:
    """A key's id; a whole key has no place in an address, where logs would keep it."""
    if KEY_FORM.match(value):
        raise invalid(name, "secret_in_address", f"give the id of the key (key_{value.split('_')[2]}), not the key")
    return text(value, name)


def _address(value: str, name: str) -> str:
    try:
        return str(ip_address(value))
    except ValueError as error:
        raise invalid(name, "invalid_value", f"{value[:60]!r} is no IP address") from error


PERMISSION = Parameter(
    "permission", "what is to be allowed", {"type": "string", "enum": list(DECIDED)}, one_of(DECIDED), required=True
)
KEY = Parameter("key", "the id of an API key; it takes admin:*", _TEXT, _key_id)
USER = Parameter("user", "the e-mail address or id of a member; it takes admin:*", _TEXT, text)
PROJECT = Parameter("project", "the project of some usage", _TEXT, text)
AT = Parameter("at", "when; now by default", {"type": "string", "format": "date-time"}, instant)
ADDRESS = Parameter("address", "from which IP address", {"type": "string", "examples": ["192.0.2.7"]}, _address)


@routes.add(
    "GET",
    "/api/v1/access/explain",
    summary="Why a key or a person may do something or not, step by step; about oneself where neither is named",
    answer=ExplainedAccessAnswer,
    parameters=(ORGANIZATION, PERMISSION, KEY, USER, PROJECT, AT, ADDRESS),
    tag_filters=True,
    scoped=True,
)
def explain(call: Call) -> ExplainedAccessAnswer:
    """The decision with its steps."""
    given = call.given
    for key, values in given.tags.items():
        if len(values) > 1:
            raise invalid(f"tag.{key}", "repeated", f"tag.{key} may be given only once: it is of one record")
    question = AccessQuestion(
        given.get("permission"),
        key=given.get("key"),
        user=given.get("user"),
        project=given.get("project"),
        tags={key: values[0] for key, values in given.tags.items()},
        at=given.get("at"),
        address=given.get("address"),
    )
    found = explain_access.explain(call.ctx, given.get("organization_id"), question)
    return ExplainedAccessAnswer(explained_access_view(found))

"""The error envelope as OpenAPI describes it."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct


class ErrorBody(Struct):
    """What went wrong. `details` names fields and reasons; with several problems `details.errors` lists them all."""

    code: Annotated[str, Meta(examples=["INVALID_REQUEST"])]
    message: Annotated[str, Meta(examples=["organization_id is required"])]
    request_id: Annotated[str, Meta(examples=["req-123abc"])]
    details: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    retry_after: Annotated[int, Meta(description="seconds")] | msgspec.UnsetType = msgspec.UNSET


class ErrorEnvelope(Struct):
    """Every failure has this form."""

    error: ErrorBody

"""The operations on webhooks: addresses that are told of what happens."""

from collections.abc import Mapping
from typing import Annotated, Literal

from django.http import HttpResponse
from ninja import Router, Schema, Status
from pydantic import Field

from fileservice.events import EVENTS, EventName
from fileservice.http.api.admission import needs
from fileservice.http.api.lists import Body, Moment
from fileservice.http.api.tokens import LARGEST_ID
from fileservice.http.lifespan import resources_of
from fileservice.http.requests import NativeRequest
from fileservice.http.visitors import origin_of
from fileservice.remoteurls import MAX_URL_CHARACTERS
from fileservice.webhooks import Hook, Sent, Webhooks

router = Router(tags=["webhooks"])

Id = Annotated[int, Field(ge=1, le=LARGEST_ID)]


class Webhook(Schema):
    """An address that is told of what happens to its owner's files and certificates."""

    id: int
    url: str
    events: list[EventName]
    created_at: Moment
    paused_at: Moment | None = Field(description="null where it is told")
    rotated_at: Moment | None = Field(description="when it got its last secret; null for the first")


class SecretWebhook(Webhook):
    """A webhook that just got a secret."""

    secret: str = Field(description="of the signatures; shown this once")


class WebhookList(Schema):
    """One's own webhooks, the newest first."""

    webhooks: list[Webhook]


class WebhookOrder(Body):
    """What a webhook is to be."""

    url: str = Field(
        min_length=1, max_length=MAX_URL_CHARACTERS, description="https; no private address"
    )
    events: list[EventName] = Field(min_length=1, max_length=len(EVENTS))


class Delivery(Schema):
    """What a webhook was told, or is going to be."""

    id: int
    event: str
    state: Literal["waiting", "delivered", "given up"]
    attempts: int
    status: int | None = Field(description="of the last answer")
    trouble: str = Field(description="why it failed last")
    created_at: Moment
    next_at: Moment | None = Field(description="when it is sent; null once it has ended")
    ended_at: Moment | None


class DeliveryList(Schema):
    """The newest deliveries to a webhook."""

    deliveries: list[Delivery]


@router.get("/webhooks", response=WebhookList, operation_id="list_webhooks", **needs("read"))
async def list_webhooks(request: NativeRequest) -> Mapping[str, object]:
    """One's own webhooks."""
    user_id = request.auth.user_id
    known = await webhooks(request).of(user_id) if user_id is not None else []
    return {"webhooks": [shown(one) for one in known]}


@router.post(
    "/webhooks", response={201: SecretWebhook}, operation_id="make_webhook", **needs("read")
)
async def make_webhook(
    request: NativeRequest, sent: WebhookOrder, response: HttpResponse
) -> Mapping[str, object]:
    """Have an address told of what happens to one's own files and certificates."""
    hook = await webhooks(request).make(request.auth, sent.url, sent.events)
    response["Location"] = f"{origin_of(request)}/api/v1/webhooks/{hook.id}"
    return {**shown(hook), "secret": hook.secret}


@router.get("/webhooks/{int:id}", response=Webhook, operation_id="get_webhook", **needs("read"))
async def get_webhook(request: NativeRequest, id: Id) -> Mapping[str, object]:
    """What is known of a webhook."""
    return shown(await webhooks(request).find(request.auth, id))


@router.delete(
    "/webhooks/{int:id}", response={204: None}, operation_id="remove_webhook", **needs("read")
)
async def remove_webhook(request: NativeRequest, id: Id) -> Status[None]:
    """Remove a webhook, and what waits for it."""
    await webhooks(request).remove(request.auth, id)
    return Status(204, None)


@router.post(
    "/webhooks/{int:id}/pause", response=Webhook, operation_id="pause_webhook", **needs("read")
)
async def pause_webhook(request: NativeRequest, id: Id) -> Mapping[str, object]:
    """Tell a webhook nothing from now on; what waits for it goes on waiting."""
    return shown(await webhooks(request).pause(request.auth, id))


@router.post(
    "/webhooks/{int:id}/resume", response=Webhook, operation_id="resume_webhook", **needs("read")
)
async def resume_webhook(request: NativeRequest, id: Id) -> Mapping[str, object]:
    """Tell a webhook again; what happened meanwhile it is not told."""
    return shown(await webhooks(request).resume(request.auth, id))


@router.post(
    "/webhooks/{int:id}/rotate",
    response=SecretWebhook,
    operation_id="rotate_webhook",
    **needs("read"),
)
async def rotate_webhook(request: NativeRequest, id: Id) -> Mapping[str, object]:
    """Give a webhook a new secret; for a day the old one signs too."""
    hook = await webhooks(request).rotate(request.auth, id)
    return {**shown(hook), "secret": hook.secret}


@router.post(
    "/webhooks/{int:id}/test", response={204: None}, operation_id="test_webhook", **needs("read")
)
async def test_webhook(request: NativeRequest, id: Id) -> Status[None]:
    """Have a webhook told of nothing, to see that it hears."""
    await webhooks(request).test(request.auth, id)
    return Status(204, None)


@router.get(
    "/webhooks/{int:id}/deliveries",
    response=DeliveryList,
    operation_id="list_deliveries",
    **needs("read"),
)
async def list_deliveries(request: NativeRequest, id: Id) -> Mapping[str, object]:
    """What a webhook was told, and what came of it; the newest first."""
    known = await webhooks(request).sent(request.auth, id)
    return {"deliveries": [shown_delivery(one) for one in known]}


def webhooks(request: NativeRequest) -> Webhooks:
    """Return the webhooks of the service."""
    return resources_of(request).webhooks


def shown(hook: Hook) -> dict[str, object]:
    """Return the JSON of a webhook, without its secret."""
    return {
        "id": hook.id,
        "url": hook.url,
        "events": hook.events,
        "created_at": hook.created_at.isoformat(),
        "paused_at": hook.paused_at and hook.paused_at.isoformat(),
        "rotated_at": hook.rotated_at and hook.rotated_at.isoformat(),
    }


def shown_delivery(sent: Sent) -> dict[str, object]:
    """Return the JSON of a delivery."""
    return {
        "id": sent.id,
        "event": sent.event,
        "state": sent.state,
        "attempts": sent.attempts,
        "status": sent.status,
        "trouble": sent.trouble,
        "created_at": sent.created_at.isoformat(),
        "next_at": None if sent.ended_at else sent.next_at.isoformat(),
        "ended_at": sent.ended_at and sent.ended_at.isoformat(),
    }

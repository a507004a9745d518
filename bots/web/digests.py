"""A delivered digest in the browser, for whoever holds its signed link; nobody else can know that it exists."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bots.house import House
from bots.web.lists import item_of
from bots.web.site import render, site_of
from core.chat.cards import card_of
from core.errors import LinkError
from core.store import Delivery

PURPOSE = "view a digest"
PRIVATE = {"Cache-Control": "private, no-store", "X-Robots-Tag": "noindex, nofollow"}


def digest_link(house: House, delivery: Delivery) -> str:
    """Return the address under which a delivery can be read for as long as it is kept.

    Raises:
        StoreError: the secret cannot be read or kept.
    """
    until = delivery.composed_at + timedelta(days=house.settings.keep.deliveries_days)
    return f"{house.settings.web.base_url}/digest/{house.keys().sign(PURPOSE, delivery.key, until=until)}"


async def digest(request: Request) -> Response:
    """Show the papers that a delivery showed, in its order and with its reasons."""
    house = site_of(request).house
    key = house.keys().read(PURPOSE, request.path_params["token"], now=house.clock())
    delivery, interests = await _find(house, str(key))
    papers = await house.library.papers([shown.paper for shown in delivery.shown])
    items = [
        item_of(card_of(papers[shown.paper], why=shown.why, now=delivery.composed_at), papers[shown.paper])
        for shown in delivery.shown
        if shown.paper in papers
    ]
    return render(request, "kept_digest.html", headers=PRIVATE, delivery=delivery, interests=interests, items=items)


async def _find(house: House, key: str) -> tuple[Delivery, str]:
    subscription_id, _, day = key.rpartition("/")
    subscription = await house.store.subscription(subscription_id)
    delivery = await house.store.delivery(subscription_id, _day(day))
    if subscription is None or delivery is None:
        raise LinkError("This digest is not kept any more.")
    return delivery, subscription.interests


def _day(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a date alone
    except ValueError as error:
        raise HTTPException(404) from error


ROUTES = (Route("/digest/{token}", digest),)

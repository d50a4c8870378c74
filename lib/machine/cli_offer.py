"""Juju's commands about relations between models of this host: offer, consume and the like."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any

import typer

from machine.console import (
    APPLICATION,
    CommandError,
    ControllerOption,
    Format,
    FormatOption,
    ModelOption,
    UsageError,
    agent,
    check_controller,
    chosen,
    confirm,
    controller,
    emit,
    inform,
    model_name,
)
from machine.offer_url import OfferUrl, parse_offer_url
from machine.tabular import table
from machine.version import CONTROLLER, USER


def offer_url(text: str) -> OfferUrl:
    """Read the URL of an offer.

    Raises:
        CommandError: it is none, or on another controller.
    """
    known = parse_offer_url(text)
    if known is None:
        raise CommandError(f'offer URL is missing application: "{text}" is no MODEL.OFFER')
    check_controller(known.controller)
    if known.owner not in ("", USER):
        raise CommandError(f'application offer "{text}" not found')
    return known


def offer(
    what: Annotated[str, typer.Argument(metavar="[MODEL.]APP:ENDPOINT[,...]")],
    name: Annotated[str | None, typer.Argument(help="Its name, if not the application's.")] = None,
    model: ModelOption = None,
    named: ControllerOption = "",
) -> None:
    """Offer endpoints of an application to other models."""
    check_controller(named)
    place, separator, endpoints = what.rpartition(":")
    if not separator or not all(endpoints.split(",")):
        raise UsageError(
            'endpoints must conform to format "<application-name>:<endpoint-name>[,...]"'
        )
    path, _, application = place.rpartition(".")
    given = name or application
    if not APPLICATION.fullmatch(given):
        raise CommandError(f'"{given}" is not a valid name of an offer')
    client = agent(path or model)
    url = client.offer(application, endpoints.split(","), given)
    listed = ", ".join(endpoints.split(","))
    inform(f'Application "{application}" endpoints [{listed}] available at "{url}"')


def consume(
    url: Annotated[str, typer.Argument(metavar="[OWNER/]MODEL.OFFER")],
    alias: Annotated[str | None, typer.Argument(help="Its name here.")] = None,
    model: ModelOption = None,
) -> None:
    """Add an application that another model offers."""
    if ":" in url.rpartition(".")[2]:
        raise CommandError(f'saas offer "{url}" shouldn\'t include endpoint')
    known = offer_url(url)
    given = alias or known.offer
    if not APPLICATION.fullmatch(given):
        raise CommandError(f'invalid application name "{given}"')
    controller().consume(chosen(model), known.model, known.offer, given)
    inform(f"Added {USER}/{known.model}.{known.offer} as {given}")


def consumed(end: str, model: str | None) -> str:
    """An end of a relation, consumed first where it is `[OWNER/]MODEL.OFFER[:ENDPOINT]`."""
    if "." not in end:
        return end
    head, _, tail = end.rpartition(".")
    name, separator, endpoint = tail.partition(":")
    known = offer_url(f"{head}.{name}")
    controller().consume(chosen(model), known.model, known.offer, known.offer)
    return f"{known.offer}{separator}{endpoint}"


class OffersFormat(StrEnum):
    """How `offers` prints them: by who is connected, or one by one."""

    TABULAR = "tabular"
    SUMMARY = "summary"
    JSON = "json"
    YAML = "yaml"


_OffersFormatOption = Annotated[OffersFormat, typer.Option("--format", help="Form of the output.")]
_CONNECTED = (
    *("Offer", "User", "Relation ID", "Status", "Endpoint", "Interface", "Role"),
    "Ingress subnets",
)
_SUMMARY = (
    *("Offer", "Application", "Charm", "Connected", "Store", "URL"),
    *("Endpoint", "Interface", "Role"),
)


def offers(
    names: Annotated[list[str] | None, typer.Argument(metavar="[OFFER...]")] = None,
    model: ModelOption = None,
    form: _OffersFormatOption = OffersFormat.TABULAR,
    interface: Annotated[str, typer.Option("--interface", help="Only with this one.")] = "",
    application: Annotated[str, typer.Option("--application", help="Only of this one.")] = "",
    active_only: Annotated[bool, typer.Option("--active-only", help="Only what is used.")] = False,
    connected_user: Annotated[str, typer.Option(help="Only what this one uses.")] = "",
    allowed_consumer: Annotated[str, typer.Option(help="Only what this one may use.")] = "",
) -> None:
    """List what the model offers, and who is connected."""
    client = agent(model)
    status, connections = client.status(), client.juju_connections()
    here = status["model"]["name"]
    found = {
        name: _listed(name, offer, here, connections[name])
        for name, offer in status.get("offers", {}).items()
        if (not names or name in names)
        and application in ("", offer["application"])
        and (
            not interface or any(e["interface"] == interface for e in offer["endpoints"].values())
        )
        and (connections[name] or not (active_only or connected_user))
        and {connected_user, allowed_consumer} <= {"", USER}
    }
    if form in (OffersFormat.JSON, OffersFormat.YAML):
        emit(found, Format(form.value))
    elif form is OffersFormat.SUMMARY:
        rows = [row for name, offer in sorted(found.items()) for row in _summary(name, offer)]
        typer.echo(table(_SUMMARY, rows))
    else:
        rows = [row for name, offer in sorted(found.items()) for row in _connected(name, offer)]
        typer.echo(table(_CONNECTED, rows))


def _summary(name: str, offer: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """An offer with its first endpoint, then the others alone."""
    connections = offer.get("connections", [])
    active = sum(c["status"]["current"] == "joined" for c in connections)
    first = (
        *(name, offer["application"], offer["charm"], f"{active}/{len(connections)}"),
        *(offer["store"], offer["offer-url"]),
    )
    for endpoint, end in sorted(offer["endpoints"].items()):
        yield (*first, endpoint, end["interface"], end["role"])
        first = ("",) * len(first)


def _connected(name: str, offer: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """The connections to an offer, which is named once."""
    if "connections" not in offer:
        yield (name, "-", "", "", "", "", "", "")
        return
    for connection in sorted(offer["connections"], key=lambda c: c["relation-id"]):
        end = offer["endpoints"][connection["endpoint"]]
        yield (
            *(name, connection["username"], str(connection["relation-id"])),
            *(connection["status"]["current"], connection["endpoint"]),
            *(end["interface"], end["role"], ",".join(connection["ingress-subnets"])),
        )
        name = ""


def _listed(
    name: str, offer: dict[str, Any], model: str, connections: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "application": offer["application"],
        "store": CONTROLLER,
        "charm": offer["charm"],
        "offer-url": f"{USER}/{model}.{name}",
        "endpoints": offer["endpoints"],
        **({"connections": connections} if connections else {}),
        "users": {USER: {"display-name": USER, "access": "admin"}},
    }


def find_offers(
    url: Annotated[str | None, typer.Argument(metavar="[[OWNER/]MODEL[.OFFER]]")] = None,
    form: FormatOption = Format.TABULAR,
    model: ModelOption = None,
    interface: Annotated[str, typer.Option("--interface", help="Only with this one.")] = "",
    name: Annotated[str, typer.Option("--offer", help="Only of this name.")] = "",
    place: Annotated[str, typer.Option("--url", help="As the argument.")] = "",
) -> None:
    """List what all models offer."""
    where = (url or place).removeprefix(f"{CONTROLLER}:").removeprefix(f"{USER}/")
    found = {
        at: offer
        for at, offer in controller().find_offers().items()
        if where in ("", *_parts(at))
        and (not name or at.endswith(f".{name}"))
        and (
            not interface or any(e["interface"] == interface for e in offer["endpoints"].values())
        )
    }
    if not found:
        raise CommandError("no matching application offers found")
    if form in (Format.JSON, Format.YAML):
        emit({at: _without_description(offer) for at, offer in found.items()}, form)
        return
    rows = [
        (CONTROLLER, at.partition(":")[2], offer["access"], _interfaces(offer))
        for at, offer in found.items()
    ]
    typer.echo(table(("Store", "URL", "Access", "Interfaces"), rows))


def _parts(url: str) -> tuple[str, str]:
    """A model, and an offer of it, of an offer's whole URL."""
    inner = url.rpartition("/")[2]
    return inner, inner.partition(".")[0]


def _without_description(offer: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in offer.items() if key != "description"}


def _interfaces(offer: dict[str, Any]) -> str:
    return ", ".join(f"{e['interface']}:{name}" for name, e in offer["endpoints"].items())


def show_offer(
    url: Annotated[str, typer.Argument(metavar="[[OWNER/]MODEL.]OFFER")],
    form: FormatOption = Format.YAML,
    model: ModelOption = None,
) -> None:
    """Show an offer."""
    known = offer_url(url) if "." in url else OfferUrl(chosen(model), url)
    at = f"{CONTROLLER}:{USER}/{known.model}.{known.offer}"
    found = controller().find_offers()
    if at not in found:
        raise CommandError(f'application offer "{USER}/{known.model}.{known.offer}" not found')
    emit({at: found[at]}, form)


def remove_offer(
    urls: Annotated[list[str], typer.Argument(metavar="OFFER...", help="Names or URLs.")],
    model: ModelOption = None,
    force: Annotated[bool, typer.Option("--force", help="With the relations by it.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    named: ControllerOption = "",
) -> None:
    """Offer something no longer."""
    check_controller(named)
    if force and not yes:
        confirm("offer removal", "This also removes the relations by it. Continue")
    for url in urls:
        known = offer_url(url) if "." in url else OfferUrl(chosen(model), url)
        agent(known.model).remove_offer(known.offer, force)


def remove_saas(
    names: Annotated[list[str], typer.Argument(metavar="SAAS...", help="Names here.")],
    model: ModelOption = None,
    force: Annotated[bool, typer.Option("--force", help="Accepted.")] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Accepted.")] = False,
) -> None:
    """Let go of applications of other models; relations with them end first."""
    client = agent(model and model_name(model))
    for name in names:
        client.remove_saas(name)

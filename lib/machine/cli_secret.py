"""Juju's commands for secrets."""

from __future__ import annotations

from typing import Annotated

import typer

from machine.console import (
    CommandError,
    Format,
    FormatOption,
    ModelOption,
    UsageError,
    agent,
    emit,
)
from machine.tabular import table

_Secret = Annotated[str, typer.Argument(metavar="ID|NAME", help="The secret.")]
_Words = Annotated[list[str] | None, typer.Argument(metavar="[KEY[#base64|#file]=VALUE...]")]
_File = Annotated[str | None, typer.Option("--file", help="YAML file of keys and values.")]


def add_secret(
    name: Annotated[str, typer.Argument(help="Its name.")],
    words: _Words = None,
    model: ModelOption = None,
    file: _File = None,
    info: Annotated[str, typer.Option("--info", help="What it is for.")] = "",
) -> None:
    """Add a secret of the model."""
    content = _content(words or (), file)
    if not content:
        raise UsageError("missing secret value or filename")
    typer.echo(agent(model).add_secret(name, content, info))


def update_secret(
    secret: _Secret,
    words: _Words = None,
    model: ModelOption = None,
    file: _File = None,
    info: Annotated[str | None, typer.Option("--info", help="What it is for.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="Another name.")] = None,
    auto_prune: Annotated[
        bool | None, typer.Option("--auto-prune/--no-auto-prune", help="Drop unused revisions.")
    ] = None,
) -> None:
    """Change a secret of the model."""
    agent(model).update_secret(secret, _content(words or (), file), info, name, auto_prune)


def remove_secret(
    secret: _Secret,
    model: ModelOption = None,
    revision: Annotated[int | None, typer.Option("--revision", help="This one alone.")] = None,
) -> None:
    """Remove a secret of the model, or one revision of it."""
    agent(model).remove_secret(secret, revision)


def grant_secret(
    secret: _Secret,
    applications: Annotated[str, typer.Argument(metavar="APP,...", help="Who may read it.")],
    model: ModelOption = None,
) -> None:
    """Let applications read a secret of the model."""
    agent(model).grant_secret(secret, applications.split(","), True)


def revoke_secret(
    secret: _Secret,
    applications: Annotated[str, typer.Argument(metavar="APP,...", help="Who may no longer.")],
    model: ModelOption = None,
) -> None:
    """Let applications read a secret of the model no longer."""
    agent(model).grant_secret(secret, applications.split(","), False)


def secrets(
    model: ModelOption = None,
    owner: Annotated[str | None, typer.Option("--owner", help="Only this one's.")] = None,
    form: FormatOption = Format.TABULAR,
) -> None:
    """List the secrets, without their content."""
    found = agent(model).juju_secrets()
    if owner is not None:
        wanted = owner.removeprefix("application-").removeprefix("unit-")
        found = {i: s for i, s in found.items() if s["owner"].replace("/", "-") == wanted}
    if form in (Format.JSON, Format.YAML):
        emit(found, form)
        return
    rows = (
        (
            i,
            s.get("name", "-"),
            s["owner"],
            s.get("rotation", "never"),
            s["revision"],
            s["updated"],
        )
        for i, s in found.items()
    )
    header = ("ID", "Name", "Owner", "Rotation", "Revision", "Last updated")
    typer.echo(table(header, [tuple(map(str, row)) for row in rows]))


def show_secret(
    secret: _Secret,
    model: ModelOption = None,
    reveal: Annotated[bool, typer.Option("--reveal", help="With its content.")] = False,
    revision: Annotated[int | None, typer.Option("--revision", "-r", help="Which.")] = None,
    revisions: Annotated[bool, typer.Option("--revisions", help="List them.")] = False,
    form: FormatOption = Format.YAML,
) -> None:
    """Show a secret."""
    for option, given in (("--reveal", reveal), ("--revision", revision is not None)):
        if revisions and given:
            raise UsageError(f"specify either --revisions or {option} but not both")
    if revision is not None and revision < 1:
        raise UsageError("revision must be a positive integer")
    found = agent(model).juju_secret(secret, revision, reveal, revisions)
    for shown in found.values():
        if form is not Format.JSON and "content" in shown:
            shown["content"] = shown["content"]["Data"]
    emit(found, form)


def _content(words: list[str] | tuple[()], file: str | None) -> dict[str, str]:
    # Here, for the other commands start faster without them.
    from machine import answers
    from machine.context import ToolError
    from machine.secret_content import content

    try:
        given = answers.mapping(answers.file_text(file)) if file else {}
        return content(words, given)
    except ToolError as e:
        raise CommandError(str(e)) from None

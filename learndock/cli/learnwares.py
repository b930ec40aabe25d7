"""Commands on learnwares: submit, list, get, versions, update, download, delete, undelete."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from learndock.cli.options import Json, LearnwareId, Package, SemanticFile, Version, connect, read_semantic
from learndock.cli.output import emit_json, print_facts, print_line, print_table
from learndock.cli.progress import transfer_bar
from learndock.cli.validation import wait
from learndock.learnware import Learnware, Visibility
from learndock.package.confined import inspect_confined


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog="Example: learndock submit wine.zip --private")(submit)
    app.command("list", epilog="Example: learndock list --filter 'task = \"Regression\" AND name:wine'")(list_)
    app.command(epilog="Example: learndock get 00000001")(get)
    app.command(epilog="Example: learndock versions 00000001")(versions)
    app.command(epilog="Example: learndock update 00000001 --private")(update)
    app.command(epilog="Example: learndock download 00000001 --out wine.zip")(download)
    app.command(epilog="Example: learndock delete 00000001")(delete)
    app.command(epilog="Example: learndock undelete 00000001")(undelete)


def submit(
    context: typer.Context,
    package: Package,
    *,
    private: Annotated[bool, typer.Option("--private", help="Only you and admins may see it.")] = False,
    semantic: SemanticFile = None,
    version_of: Annotated[str, typer.Option(metavar="ID", help="Learnware to which this is a new version.")] = "",
    wait_: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the validation to end.")] = True,
    json: Json = False,
) -> None:
    """Submit a package; after a break, run it again and it goes on where it ended."""
    described = read_semantic(semantic, package)
    inspect_confined(package, described)  # before a byte is sent: whatever can be known without running it
    with connect(context) as dock:
        with transfer_bar(f"Sending {package.name}") as progress:
            learnware = dock.submit(
                package,
                semantic=described,
                visibility=Visibility.PRIVATE if private else Visibility.PUBLIC,
                learnware_id=version_of or None,
                progress=progress,
            )
        if wait_:
            wait(dock, learnware.learnware_id, json=json)
        elif json:
            emit_json(learnware)
        else:
            print_line(f"{learnware.learnware_id} submitted; see `learndock validation {learnware.learnware_id}`.")


def list_(
    context: typer.Context,
    *,
    filter_: Annotated[
        str,
        typer.Option(
            "--filter",
            help="Expression over id, name, text (of name and description), owner, data, task, library, license,"
            " sha256, state, format_class, visibility and create_time.",
        ),
    ] = "",
    order_by: Annotated[str, typer.Option(help="Fields, such as 'create_time desc'.")] = "",
    deleted: Annotated[bool, typer.Option("--deleted", help="Show deleted ones too.")] = False,
    json: Json = False,
) -> None:
    """List the learnwares that you may see."""
    with connect(context) as dock:
        found = dock.list(filter=filter_, order_by=order_by, show_deleted=deleted)
        if json:
            emit_json(found)
            return
        print_table(
            ("id", "name", "task", "data", "library", "version", "state", "visibility"),
            map(_row, found),
            empty="No learnwares. Submit one with `learndock submit PACKAGE.zip`.",
        )


def get(context: typer.Context, learnware_id: LearnwareId, *, json: Json = False) -> None:
    """Show a learnware."""
    with connect(context) as dock:
        _show(dock.get(learnware_id), json=json)


def versions(context: typer.Context, learnware_id: LearnwareId, *, json: Json = False) -> None:
    """List the versions of a learnware, newest first."""
    with connect(context) as dock:
        found = dock.versions(learnware_id)
    if json:
        emit_json(found)
        return
    print_table(
        ("version", "state", "size", "format", "uploaded", "sha256", "reason"),
        ((v.version, v.state, v.size_bytes, v.format_class, v.create_time, v.sha256, v.state_reason) for v in found),
        empty="No versions that you may see.",
    )


def update(
    context: typer.Context,
    learnware_id: LearnwareId,
    *,
    semantic: SemanticFile = None,
    private: Annotated[bool | None, typer.Option("--private/--public", help="Who may see it.")] = None,
    json: Json = False,
) -> None:
    """Change what a learnware is said to be for, or who may see it."""
    visibility = None if private is None else Visibility.PRIVATE if private else Visibility.PUBLIC
    with connect(context) as dock:
        changed = dock.update(learnware_id, semantic=read_semantic(semantic), visibility=visibility)
    _show(changed, json=json)


def download(
    context: typer.Context,
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids of learnwares, such as 00000001.")],
    *,
    out: Annotated[
        Path, typer.Option(help="File or folder to put the package in; for several, a folder or the archive to make.")
    ] = Path(),
    version: Version = 0,
    json: Json = False,
) -> None:
    """Download a package, or several as one archive, and verify each; what was interrupted goes on where it ended."""
    with connect(context) as dock, transfer_bar(f"Fetching {', '.join(ids)}") as progress:
        if len(ids) == 1:
            path = dock.download(ids[0], out, version=version, progress=progress)
        elif version:
            raise typer.BadParameter("A version belongs to one learnware.", param_hint="--version")
        else:
            archive = out / "learnwares.zip" if out.is_dir() else out
            path = dock.download_together(ids, archive, progress=progress)
    if json:
        emit_json({"learnware_id": ids[0], "path": path} if len(ids) == 1 else {"learnware_ids": ids, "path": path})
    else:
        print_line(f"{path} is complete and verified.")


def delete(context: typer.Context, learnware_id: LearnwareId, *, json: Json = False) -> None:
    """Delete a learnware; it can be restored for a while."""
    with connect(context) as dock:
        deleted = dock.delete(learnware_id)
    if json:
        emit_json(deleted)
    else:
        print_line(f"{learnware_id} is deleted; `learndock undelete {learnware_id}` restores it.")


def undelete(context: typer.Context, learnware_id: LearnwareId, *, json: Json = False) -> None:
    """Restore a deleted learnware."""
    with connect(context) as dock:
        restored = dock.undelete(learnware_id)
    if json:
        emit_json(restored)
    else:
        print_line(f"{learnware_id} is restored.")


def _row(learnware: Learnware) -> tuple[object, ...]:
    semantic, version = learnware.semantic_specification, learnware.current_version
    state = "DELETED" if learnware.delete_time else version.state
    return (
        learnware.learnware_id,
        semantic.name,
        semantic.task,
        semantic.data,
        semantic.library,
        version.version,
        state,
        learnware.visibility,
    )


def _show(learnware: Learnware, *, json: bool) -> None:
    if json:
        emit_json(learnware)
        return
    semantic, version = learnware.semantic_specification, learnware.current_version
    print_facts(
        {
            "id": learnware.learnware_id,
            "name": semantic.name,
            "description": semantic.description,
            "task": semantic.task,
            "data": semantic.data,
            "library": semantic.library,
            "scenarios": semantic.scenarios,
            "license": semantic.license,
            "input": f"{semantic.input.dimension} features" if semantic.input else None,
            "output": f"{semantic.output.dimension} parts" if semantic.output else None,
            "owner": learnware.owner_id,
            "visibility": learnware.visibility,
            "version": version.version,
            "state": version.state,
            "reason": version.state_reason,
            "format": version.format_class,
            "size": f"{version.size_bytes} bytes",
            "sha256": version.sha256,
            "submitted": learnware.create_time,
            "changed": learnware.update_time,
            "deleted": learnware.delete_time,
        }
    )

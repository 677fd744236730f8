"""Statements of banks and card companies over HTTP, and what is the same in two sources: the person's own."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from taesan.core.db import retried
from taesan.core.http import KNOWN, problem_responses
from taesan.core.i18n import language_of
from taesan.core.idempotency import REPLAYED_HEADER
from taesan.core.pages import Cursor, Limit, Page, page
from taesan.core.values import Text
from taesan.hub import HubDep
from taesan.identity.access import CurrentWallet
from taesan.identity.rates import COUNTED
from taesan.insights import doubles, exclusions, importing, imports, persons, streams
from taesan.insights.import_models import (
    MAX_LABEL,
    DuplicatePublic,
    ImportPublic,
    MappingPublic,
    MappingTerms,
    PreviewPublic,
)
from taesan.insights.importing import File
from taesan.insights.lines import Unreadable
from taesan.insights.models import MovementPublic

router = APIRouter(prefix="/v1/insights", tags=["insights"], dependencies=KNOWN)

_FILE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The file as the bank gives it: OFX 1 or 2, or CSV in UTF-8, UTF-16, CP949, Shift JIS or Windows-1252",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
_CHANGES = problem_responses(401, 404, 409, 422, 429)


async def _raw(request: Request) -> bytes:
    return await request.body()


Content = Annotated[bytes, Depends(_raw)]
Name = Annotated[Text, Query(max_length=MAX_LABEL, description="What to call the file")]
Account = Annotated[
    Text,
    Query(
        max_length=MAX_LABEL,
        description="What to call the account, always the same: needed where several accounts' files have the same columns",
    ),
]
Fingerprint = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="As a preview tells it")]

RemoveImports = Annotated[
    bool, Query(description="Removes the imports that were made by the mapping before, if it was another")
]


def _read(hub: HubDep, request: Request, wallet: CurrentWallet, content: Content, account: Account = "") -> File:
    """:raises Problem: `no-insights`, `statement-unreadable`"""
    with hub.db.read() as session:
        known = imports.mappings_of(session, persons.number_of(persons.find(session, wallet)))
    try:
        return importing.read(content, account, known)
    except Unreadable as error:
        raise imports.unreadable(error, language_of(request.headers.get("accept-language"))) from None


Statement = Annotated[File, Depends(_read)]


# ------------------------------------------------------------------- imports


@router.post(
    "/imports/preview",
    operation_id="previewImport",
    dependencies=COUNTED,
    responses=problem_responses(401, 404, 422, 429),
    openapi_extra=_FILE,
)
def preview_import(hub: HubDep, request: Request, wallet: CurrentWallet, file: Statement) -> PreviewPublic:
    """What importing a file would do, without doing it: how its columns are read, its first lines, what counts for nothing and why,
    and what cannot be read."""
    language = language_of(request.headers.get("accept-language"))
    with hub.db.read() as session:
        owner = persons.number_of(persons.find(session, wallet))
        return imports.preview(session, owner, file, language)


@router.post(
    "/imports",
    operation_id="importStatement",
    status_code=201,
    dependencies=COUNTED,
    responses=_CHANGES,
    openapi_extra=_FILE,
)
@retried
def import_statement(
    hub: HubDep,
    request: Request,
    response: Response,
    wallet: CurrentWallet,
    file: Statement,
    name: Name = "",
    account: Account = "",
) -> ImportPublic:
    """Imports a file, all of it or nothing. Lines that a file before has had are not added again; the same file again is answered
    as the first time. A CSV's columns have to be confirmed before, once for each bank: 409 tells what they are taken for."""
    with hub.db.write() as session:
        person = persons.find(session, wallet)
        owner, zone, now = persons.number_of(person), persons.zone_of(person), hub.clock.now()
        try:
            row, is_new = importing.store(session, owner, zone, file, name, account, now)
        except Unreadable as error:
            raise imports.unreadable(error, language_of(request.headers.get("accept-language"))) from None
        if not is_new:
            response.headers[REPLAYED_HEADER] = "true"
        return imports.public(row)


@router.get("/imports", operation_id="listImports", responses=problem_responses(401, 404, 422))
def list_imports(hub: HubDep, wallet: CurrentWallet, cursor: Cursor = None, limit: Limit = 100) -> Page[ImportPublic]:
    """What was imported, newest first."""
    with hub.db.read() as session:
        owner = persons.number_of(persons.find(session, wallet))
        rows = imports.imports_of(session, owner, cursor, limit)
        return page(rows, limit, lambda row: row.id, imports.public)


@router.get("/imports/{import_id}", operation_id="getImport", responses=problem_responses(401, 404, 422))
def get_import(hub: HubDep, wallet: CurrentWallet, import_id: str) -> ImportPublic:
    """One import."""
    with hub.db.read() as session:
        owner = persons.number_of(persons.find(session, wallet))
        return imports.public(imports.find(session, owner, import_id))


@router.delete(
    "/imports/{import_id}", operation_id="deleteImport", status_code=204, dependencies=COUNTED, responses=_CHANGES
)
@retried
def delete_import(hub: HubDep, wallet: CurrentWallet, import_id: str) -> None:
    """Removes an import with all lines that no other has."""
    with hub.db.write() as session:
        owner = persons.number_of(persons.find(session, wallet))
        imports.remove(session, imports.find(session, owner, import_id))


# ------------------------------------------------------------------- mappings


@router.get("/statement-mappings", operation_id="listStatementMappings", responses=problem_responses(401, 404))
def list_mappings(hub: HubDep, wallet: CurrentWallet) -> list[MappingPublic]:
    """What the columns of CSV files mean, as the person has confirmed it."""
    with hub.db.read() as session:
        return imports.public_mappings(session, persons.number_of(persons.find(session, wallet)))


@router.put(
    "/statement-mappings/{fingerprint}",
    operation_id="setStatementMapping",
    dependencies=COUNTED,
    responses=_CHANGES,
)
@retried
def set_mapping(
    hub: HubDep,
    wallet: CurrentWallet,
    fingerprint: Fingerprint,
    mapping: MappingTerms,
    remove_imports: RemoveImports = False,
) -> MappingPublic:
    """Says what the columns under some headings mean. It is remembered for every file with these headings. One that files were
    imported by is put right with `remove_imports=true`; import them again then, as the hub has not kept them."""
    told = mapping.of_file(fingerprint)
    with hub.db.write() as session:
        owner = persons.number_of(persons.find(session, wallet))
        now = hub.clock.now()
        return imports.set_mapping(session, owner, fingerprint, told, now, remove_imports=remove_imports)


@router.delete(
    "/statement-mappings/{fingerprint}",
    operation_id="deleteStatementMapping",
    status_code=204,
    dependencies=COUNTED,
    responses=_CHANGES,
)
@retried
def delete_mapping(hub: HubDep, wallet: CurrentWallet, fingerprint: Fingerprint) -> None:
    """Forgets it, if no import was made by it."""
    with hub.db.write() as session:
        imports.forget_mapping(session, persons.number_of(persons.find(session, wallet)), fingerprint)


# ------------------------------------------------------------------- duplicates


@router.get("/duplicates", operation_id="listDuplicates", responses=problem_responses(401, 404, 422))
def list_duplicates(
    hub: HubDep, wallet: CurrentWallet, cursor: Cursor = None, limit: Limit = 100
) -> Page[DuplicatePublic]:
    """Movements that are in no sum, because another source tells the same, newest first."""
    with hub.db.read() as session:
        owner = persons.number_of(persons.find(session, wallet))
        rows = doubles.duplicates_of(session, owner, cursor, limit)
        return page(rows, limit, lambda row: row.id, lambda row: doubles.public(session, row))


@router.post(
    "/duplicates/{movement_id}/confirm", operation_id="confirmDuplicate", dependencies=COUNTED, responses=_CHANGES
)
@retried
def confirm_duplicate(hub: HubDep, wallet: CurrentWallet, movement_id: str) -> DuplicatePublic:
    """It is the same purchase; also takes back that it was dismissed. It stays so when the file is imported again."""
    with hub.db.write() as session:
        owner = persons.number_of(persons.find(session, wallet))
        row = doubles.find_movement(session, owner, movement_id)
        doubles.confirm(session, row, hub.clock.now())
        return doubles.public(session, row)


@router.post(
    "/duplicates/{movement_id}/dismiss", operation_id="dismissDuplicate", dependencies=COUNTED, responses=_CHANGES
)
@retried
def dismiss_duplicate(hub: HubDep, wallet: CurrentWallet, movement_id: str) -> DuplicatePublic:
    """They are two purchases, and both count from now on. It stays so when the file is imported again."""
    with hub.db.write() as session:
        owner = persons.number_of(persons.find(session, wallet))
        row = doubles.find_movement(session, owner, movement_id)
        doubles.dismiss(session, row, hub.clock.now())
        return doubles.public(session, row)


# ------------------------------------------------------------------- exclusions


@router.post(
    "/movements/{movement_id}/exclude", operation_id="excludeMovement", dependencies=COUNTED, responses=_CHANGES
)
@retried
def exclude_movement(hub: HubDep, wallet: CurrentWallet, movement_id: str) -> MovementPublic:
    """Leaves a statement's line out of all sums. It stays so when the file is imported again."""
    with hub.db.write() as session:
        owner = persons.number_of(persons.find(session, wallet))
        row = doubles.find_movement(session, owner, movement_id)
        exclusions.exclude(session, row, hub.clock.now())
        return streams.public(row)


@router.post(
    "/movements/{movement_id}/include", operation_id="includeMovement", dependencies=COUNTED, responses=_CHANGES
)
@retried
def include_movement(hub: HubDep, wallet: CurrentWallet, movement_id: str) -> MovementPublic:
    """Takes back that it was left out."""
    with hub.db.write() as session:
        owner = persons.number_of(persons.find(session, wallet))
        row = doubles.find_movement(session, owner, movement_id)
        exclusions.include(session, row)
        return streams.public(row)

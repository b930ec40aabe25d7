"""A connection to a dock: everything a user or an admin does, one method each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, overload

from learndock.client import credentials, dock_reuse, integrity, searching, transfer, validations
from learndock.client.across import Across
from learndock.client.catalogue import Catalogue
from learndock.client.channel import Addresses, Connection
from learndock.client.dock_accounts import AccountMethods
from learndock.client.dock_catalogue import CatalogueMethods
from learndock.client.dock_keeping import KeepingMethods
from learndock.client.dock_reuse import DockReuser, ReuserProgress
from learndock.client.messages import summary_from_messages
from learndock.client.pages import Pages
from learndock.client.result import Plan, Reusable, SearchResult, members_of, presumed_for, strategy_for
from learndock.client.transfer import Progress
from learndock.client.validations import ValidationProgress, Validations
from learndock.client.values import Finding, PackageCheck, SearchMode, Strategy, Summary, Validation
from learndock.learnware import (
    FeatureSpace,
    Learnware,
    SemanticFilter,
    SemanticSpecification,
    Visibility,
)
from learndock.reuse.labels import Labelled
from learndock.reuse.member import Inputs
from learndock.rkme.private import PrivateSpecification
from learndock.rkme.specification import Specification
from learndock.tls import TlsFiles
from learndock.v1 import identity_service_pb2, search_service_pb2, storage_service_pb2
from learndock.v1.identity_service_pb2_grpc import IdentityServiceStub
from learndock.v1.reuse_service_pb2_grpc import ReuseServiceStub
from learndock.v1.search_service_pb2_grpc import SearchServiceStub
from learndock.v1.storage_service_pb2_grpc import StorageServiceStub
from learndock.v1.validator_service_pb2_grpc import ValidatorServiceStub

if TYPE_CHECKING:
    from learndock.client.local_reuse import LocalReuser


class Dock(CatalogueMethods, AccountMethods, KeepingMethods):
    """A connection to a dock; close it, or use it in a `with` statement.

    Every method may raise the classes of `learndock.errors`; named below are those that are particular to it.

    Parameters
    ----------
    address
        "host:port", "grpcs://host:port" for TLS, or an address for each service by its name ("storage", "search",
        "validator", "reuse", "identity"). None: from LEARNDOCK_ADDRESS, else from the credentials file.
    token
        Secret of an API token; empty for an anonymous caller. None: from LEARNDOCK_TOKEN, else from the credentials
        file.
    timeout
        Seconds for one ordinary call.
    ca_file
        File of the certificate authorities to trust; asks for TLS. None: from LEARNDOCK_CA_FILE, else the usual ones.
    certificate_file, key_file
        Certificate to show, for docks that want one, and its key. None: from LEARNDOCK_CERTIFICATE_FILE and
        LEARNDOCK_KEY_FILE. They are read again as they change.
    """

    def __init__(
        self,
        address: str | Mapping[str, str] | None = None,
        token: str | None = None,
        *,
        timeout: float = 30.0,
        ca_file: str | PathLike[str] | None = None,
        certificate_file: str | PathLike[str] | None = None,
        key_file: str | PathLike[str] | None = None,
    ) -> None:
        by_service = address if isinstance(address, Mapping) else {}
        named = [f"{name}={one}" for name, where in by_service.items() for one in where.split(",")]
        text = ",".join(named) or str(address or "")
        known = credentials.resolve(text or None, token, str(ca_file) if ca_file else None)
        shown = credentials.shown_certificate(certificate_file, key_file)
        self.address = known.address
        tls = TlsFiles(Path(known.ca_file) if known.ca_file else None, *shown)
        self._connection = Connection(Addresses.parse(known.address), known.token, timeout=timeout, tls=tls)

    # Learnwares

    def submit(
        self,
        package: str | PathLike[str],
        *,
        semantic: SemanticSpecification | None = None,
        visibility: Visibility = Visibility.PUBLIC,
        learnware_id: str | None = None,
        progress: Progress = transfer.silent,
    ) -> Learnware:
        """Send a package; after a break, or in another process, it goes on where it ended.

        Parameters
        ----------
        package
            Path of the archive.
        semantic
            What the learnware is for; None takes it from the package.
        visibility
            Who may see it.
        learnware_id
            Learnware to which this is a new version; None for a new learnware.
        progress
            Told the bytes sent and in all.

        Returns
        -------
        Learnware
            As entered; its validation begins now, see `wait_until_validated`.

        Raises
        ------
        InvalidInput
            The package breaks a rule; the error names the field.
        AlreadyExists
            The same package was submitted before.
        """
        return self._catalogue.submit(
            Path(package),
            semantic=semantic,
            visibility=visibility,
            learnware_id=learnware_id or "",
            progress=progress,
        )

    def wait_until_validated(
        self,
        learnware_id: str,
        version: int = 0,
        *,
        timeout: float = 900.0,
        progress: ValidationProgress = validations.silent,
    ) -> Validation:
        """Watch a version (0: the newest) until its validation has ended; DeadlineExceeded after `timeout` seconds."""
        return self._validations.wait(learnware_id, version, timeout=timeout, progress=progress)

    def wait_until_searchable(self, learnware_id: str, *, timeout: float = 60.0) -> None:
        """Wait until search finds a verified learnware; DeadlineExceeded after `timeout` seconds."""
        searching.wait_until_found(self._search, learnware_id, timeout)

    def validation(self, learnware_id: str, version: int = 0) -> Validation:
        """The newest validation of a version (0: of any), with the log tail; NotFound where there is none."""
        return self._validations.latest(learnware_id, version)

    def check(
        self,
        package: str | PathLike[str],
        *,
        semantic: SemanticSpecification | None = None,
        timeout: float = 900.0,
    ) -> PackageCheck:
        """Have a package checked as validation would, publishing nothing."""
        return self._validations.check(Path(package), semantic=semantic, timeout=timeout)

    # Search and reuse

    def search(
        self,
        specification: Specification | PrivateSpecification | None = None,
        *,
        text: str = "",
        filter: SemanticFilter = SemanticFilter(),  # noqa: A002, B008  # the API's word; frozen
        top_k: int = 10,
        max_mixture_members: int = 5,
        mode: SearchMode = SearchMode.CERTIFIED,
        exclude: Sequence[str] = (),
        min_sequence: int = 0,
        max_scored: int = 0,
        across: Across = Across.WHERE_NOTHING_FITS,
    ) -> SearchResult:
        """Find the learnwares, or the mixture of several, that fit a task best.

        The parameters are those of `learndock.client.searching.Question`.
        """
        question = searching.Question(
            specification, text, filter, top_k, max_mixture_members, mode, exclude, min_sequence, max_scored, across
        )
        return searching.ask(self._search, question)

    @overload
    def reuse(
        self,
        found: Reusable,
        *,
        strategy: Strategy | None = None,
        labelled: Labelled | None = None,
        unlabelled: Inputs | None = None,
        where: Literal["dock"] = "dock",
        task_input: FeatureSpace | None = None,
        timeout: float = 300.0,
        progress: ReuserProgress = dock_reuse.silent,
    ) -> DockReuser: ...

    @overload
    def reuse(
        self,
        found: Reusable,
        *,
        strategy: Strategy | None = None,
        labelled: Labelled | None = None,
        unlabelled: Inputs | None = None,
        where: Literal["local"],
        task_input: FeatureSpace | None = None,
        timeout: float = 300.0,
        progress: ReuserProgress = dock_reuse.silent,
    ) -> LocalReuser: ...

    def reuse(
        self,
        found: Reusable,
        *,
        strategy: Strategy | None = None,
        labelled: Labelled | None = None,
        unlabelled: Inputs | None = None,
        where: Literal["dock", "local"] = "dock",
        task_input: FeatureSpace | None = None,
        timeout: float = 300.0,
        progress: ReuserProgress = dock_reuse.silent,
    ) -> DockReuser | LocalReuser:
        """Turn learnwares into something with scikit-learn's `fit` and `predict`; close it when done.

        Parameters
        ----------
        found
            Answer of a search, or ids.
        strategy
            None chooses: AUTO with labelled rows; else JOB_SELECTOR for an advised mixture and AVERAGE for the nearest
            singles of an answer; for ids, TOP1 for one and JOB_SELECTOR for several.
        labelled
            Rows whose truth is known, for the strategies that learn from them.
        unlabelled
            Rows of the task, such as those to predict: classes that hardly occur in them are then held back in all
            answers, see `learndock.reuse.occurrence`. They go where the rows to predict go.
        where
            "dock" sends the inputs there; "local" downloads the packages, verifies them and runs them in this
            machine's sandbox, so that no input leaves it.
        task_input
            What the task's columns are, where members name which of them are their own; an answer knows it.
        timeout
            Seconds within which the members must be ready.
        progress
            Told the reuser's state whenever it changes; for "dock" only.

        Raises
        ------
        NotFound
            The answer is empty, or a learnware does not exist.
        FailedPrecondition
            The members cannot be made ready, or (local) there is no sandbox.
        """
        members = members_of(found, strategy)
        asked = task_input or (found.task_input if isinstance(found, SearchResult) else None)
        plan = Plan(
            members,
            strategy_for(found, strategy, labelled=labelled is not None),
            labelled,
            presumed_for(found),
            asked,
            unlabelled,
        )

        def at_home() -> LocalReuser:
            from learndock.client.local_reuse import LocalReuser

            return LocalReuser.open(self._catalogue, plan, timeout=timeout)

        if where == "local":
            return at_home()
        semantic = self.get(members[0].learnware_id).semantic_specification
        return DockReuser.create(self._reuse, plan, semantic, timeout=timeout, progress=progress, at_home=at_home)

    # The dock itself

    def summary(self) -> Summary:
        """Numbers of learnwares, users and tokens; for admins."""
        return summary_from_messages(
            self._storage.GetCatalogueSummary(storage_service_pb2.GetCatalogueSummaryRequest()),
            self._identity.GetUserSummary(identity_service_pb2.GetUserSummaryRequest()),
            self._search.GetIndexStatus(search_service_pb2.GetIndexStatusRequest()),
        )

    def check_integrity(self, *, read_packages: bool = False, repair: bool = False) -> tuple[Finding, ...]:
        """What is wrong with catalogue, packages and index, put right if asked; empty when all is well; for admins."""
        return integrity.check_integrity(self._storage, self._search, read_packages=read_packages, repair=repair)

    @property
    def pages(self) -> Pages:
        """Lists page by page, and what else a screen shows."""
        return Pages(self._connection.channel)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def __enter__(self) -> Dock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Dock({self.address!r})"

    @property
    def _storage(self) -> StorageServiceStub:
        return StorageServiceStub(self._connection.channel("storage"))

    @property
    def _search(self) -> SearchServiceStub:
        return SearchServiceStub(self._connection.channel("search"))

    @property
    def _reuse(self) -> ReuseServiceStub:
        return ReuseServiceStub(self._connection.channel("reuse"))

    @property
    def _identity(self) -> IdentityServiceStub:
        return IdentityServiceStub(self._connection.channel("identity"))

    @property
    def _catalogue(self) -> Catalogue:
        return Catalogue(self._storage)

    @property
    def _validations(self) -> Validations:
        return Validations(ValidatorServiceStub(self._connection.channel("validator")))

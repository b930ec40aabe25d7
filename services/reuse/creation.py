"""Making a reuser: members looked up as the caller, strategy chosen, everything entered in one transaction."""

from __future__ import annotations

from learndock.account import Principal
from learndock.reuse import strategy as strategies
from learndock.serving.sql import Database, once
from learndock.v1 import reuse_service_pb2 as pb
from services.reuse.catalogue import Catalogue
from services.reuse.columns import read_task_input, with_columns
from services.reuse.labelled import read_labelled
from services.reuse.messages import record_to_message, strategy_from_message
from services.reuse.models import RequestRow
from services.reuse.preparation import Preparation
from services.reuse.reusers import Reusers, shares_of


class Creation:
    """Makes reusers."""

    def __init__(self, database: Database, catalogue: Catalogue, reusers: Reusers, preparation: Preparation) -> None:
        self._database = database
        self._catalogue = catalogue
        self._reusers = reusers
        self._preparation = preparation

    def create(self, principal: Principal, request: pb.CreateReuserRequest) -> pb.CreateReuserResponse:
        """Enter a reuser and begin to prepare it.

        Raises
        ------
        NotFound
            The caller may see no verified learnware of a member's id.
        InvalidInput
            A field is wrong, or the strategy does not suit the members (STRATEGY_UNSUITABLE).
        ResourceExhausted
            There are as many reusers as there may be (TOO_MANY_REUSERS).
        """
        shares = shares_of([member.weight for member in request.members])
        task_input = read_task_input(request)
        members = [
            with_columns(
                self._catalogue.resolve(member.learnware_id, member.version, share),
                member.columns,
                task_input,
                f"members[{position}].columns",
            )
            for position, (member, share) in enumerate(zip(request.members, shares, strict=True))
        ]
        seen = [member.seen_by(task_input) for member in members]
        labelled = read_labelled(request.labelled) if request.HasField("labelled") else None
        has_labels = labelled is not None
        strategy = strategy_from_message(request.strategy) or strategies.choose(seen, labelled=has_labels)
        presumed = strategy_from_message(request.presumed)
        strategies.check(strategy, seen, labelled=has_labels)
        with self._database.write() as session:

            def make() -> pb.CreateReuserResponse:
                record = self._reusers.insert(
                    session, principal.user_id, strategy, members, labelled, presumed, task_input
                )
                return pb.CreateReuserResponse(reuser=record_to_message(record))

            response = once(
                session,
                RequestRow,
                request_id=request.request_id,
                caller_id=principal.user_id,
                request=request,
                response_type=pb.CreateReuserResponse,
                make=make,
            )
        self._preparation.submit(response.reuser.reuser_id)
        return response

"""Numbers of learnwares, for those who look after a dock."""

from __future__ import annotations

from typing import Any

from sqlalchemy import and_, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from learndock.v1 import storage_service_pb2 as pb
from services.storage.changes import latest_sequence
from services.storage.models import LearnwareRow, VersionRow


def summarise(session: Session) -> pb.GetCatalogueSummaryResponse:
    """Count what is not deleted."""
    by_state = _count_by(session, VersionRow.state)
    distinct = select(VersionRow.sha256, VersionRow.size_bytes).distinct().subquery()
    return pb.GetCatalogueSummaryResponse(
        learnwares=sum(by_state.values()),
        by_state=by_state,
        by_task=_count_by(session, LearnwareRow.task),
        by_data=_count_by(session, LearnwareRow.data),
        by_library=_count_by(session, LearnwareRow.library),
        package_bytes=int(session.scalar(select(func.sum(distinct.c.size_bytes))) or 0),
        latest_sequence=latest_sequence(session),
    )


def _count_by(session: Session, column: InstrumentedAttribute[Any]) -> dict[str, int]:
    current = and_(
        VersionRow.learnware_id == LearnwareRow.learnware_id, VersionRow.version == LearnwareRow.current_version
    )
    query = select(column, func.count()).select_from(LearnwareRow).join(VersionRow, current)
    rows = session.execute(query.where(LearnwareRow.delete_time.is_(None)).group_by(column))
    return {row[0]: row[1] for row in rows}

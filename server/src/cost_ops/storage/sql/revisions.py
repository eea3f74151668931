"""Corrected records: the new form in the row, earlier forms beside it, and what erasure takes out of both."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, insert, select, update

from cost_ops.domain.exact_json import json_text
from cost_ops.domain.identity import parse_usage_id
from cost_ops.domain.periods import from_us, to_us
from cost_ops.domain.revisions import PERSONAL_FIELDS, Revision, kept_form, without_person
from cost_ops.domain.usage import UsageRecord
from cost_ops.storage.rows import DISCREPANT, ESTIMATED, records_of, token_columns
from cost_ops.storage.sql import forgetting, names
from cost_ops.storage.sql.current import selected
from cost_ops.storage.tables import dimension_values, rollups, usage_records, usage_revisions
from cost_ops.storage.transaction import Transaction

u, r = usage_records.c, usage_revisions.c
_USERS_BY_DAY = 6


class StoredRevisions:
    """Earlier forms of corrected records of the bound organisation."""

    def __init__(self, tx: Transaction, organization_id: str, number: int) -> None:
        self._tx = tx
        self._organization_id = organization_id
        self._number = number

    def _at(self, timestamp_us: int, uid: int) -> list[ColumnElement[bool]]:
        return [r.organization_id == self._organization_id, r.timestamp == timestamp_us, r.uid == uid]

    def count(self, timestamp_us: int, uid: int) -> int:
        """How often a record was corrected."""
        found = self._tx.rows(select(func.count()).select_from(usage_revisions).where(*self._at(timestamp_us, uid)))
        return int(found[0][0])

    def of(self, timestamp_us: int, uid: int) -> list[Revision]:
        """The earlier forms of a record, the first first."""
        rows = self._tx.rows(select(usage_revisions).where(*self._at(timestamp_us, uid)).order_by(r.version))
        return [Revision(row.version, from_us(row.superseded_at), row.actor, row.reason, row.record) for row in rows]

    def supersede(self, old: UsageRecord, new: UsageRecord, *, actor: str, reason: str, now: datetime) -> int:
        """Keep the old form and put the new one in its place, its first cost left as it was; how many there are now."""
        timestamp_us, uid = parse_usage_id(old.usage_id)
        version = self.count(timestamp_us, uid) + 1
        row = {
            "organization_id": self._organization_id,
            "timestamp": timestamp_us,
            "uid": uid,
            "version": version,
            "superseded_at": to_us(now),
            "actor": actor,
            "reason": reason,
            "record": _plain(kept_form(old)),
        }
        self._tx.write(insert(usage_revisions).values(row))
        self._put(timestamp_us, uid, _columns(old, new))
        return version

    def _put(self, timestamp_us: int, uid: int, values: Mapping[str, Any]) -> None:
        mine = and_(u.organization_id == self._organization_id, u.timestamp == timestamp_us, u.uid == uid)
        self._tx.write(update(usage_records).where(mine).values(values))

    def days_of(self, user_id: str) -> list[int]:
        """The UTC days, counted since 1970, on which a person has usage."""
        d = dimension_values.c
        cube_set = names.cube_set(self._tx, self._organization_id, self._number, _USERS_BY_DAY)
        person = select(d.id).where(d.organization == self._number, d.kind == "user", d.value == user_id)
        rows = self._tx.rows(
            select(rollups.c.bucket)
            .where(rollups.c.cube_set == cube_set, rollups.c.dimension.in_(person), rollups.c.requests > 0)
            .distinct()
            .order_by(rollups.c.bucket)
        )
        return [row[0] for row in rows]

    def of_user(self, user_id: str, *, start_us: int, end_us: int, limit: int) -> list[UsageRecord]:
        """Records of a person in a range, oldest first."""
        mine = (u.organization_id == self._organization_id, u.timestamp >= start_us, u.timestamp < end_us)
        rows = self._tx.rows(selected().where(*mine, u.user_id == user_id).order_by(u.timestamp, u.uid).limit(limit))
        return records_of(rows)

    def count_of_user(self, user_id: str, *, start_us: int, end_us: int) -> int:
        """How many records a person has in a range."""
        mine = (u.organization_id == self._organization_id, u.timestamp >= start_us, u.timestamp < end_us)
        counted = select(func.count()).select_from(usage_records).where(*mine, u.user_id == user_id)
        return int(self._tx.rows(counted)[0][0])

    def count_earlier(self, user_id: str) -> int:
        """How many earlier forms of records name a person."""
        rows = self._tx.rows(select(r.record).where(r.organization_id == self._organization_id))
        return sum(row.record.get("user_id") == user_id for row in rows)

    def erase(self, records: Sequence[UsageRecord], tags: Collection[str]) -> int:
        """Take what tells of a person out of records, tags of these keys too, and out of their earlier forms; how many
        of those there were.
        """
        forms = 0
        for record in records:
            place = parse_usage_id(record.usage_id)
            kept = {name: value for name, value in (record.tags or {}).items() if name not in tags}
            self._put(
                *place,
                {
                    "user_id": None,
                    "session_id": None,
                    "metadata": None,
                    "tags": kept or None,
                    "evidence": without_person(record.evidence),
                },
            )
            forms += self._erase_forms(self._at(*place), tags)
        return forms

    def erase_earlier(self, user_id: str, tags: Collection[str]) -> int:
        """The same for earlier forms that name a person whose records do not any more; how many there were."""
        return self._erase_forms([r.organization_id == self._organization_id], tags, of=user_id)

    def _erase_forms(self, where: Sequence[ColumnElement[bool]], tags: Collection[str], of: str | None = None) -> int:
        done = 0
        for row in self._tx.rows(select(usage_revisions).where(*where)):
            if of is not None and row.record.get("user_id") != of:
                continue
            kept = {name: value for name, value in row.record.items() if name not in PERSONAL_FIELDS}
            kept["tags"] = {name: value for name, value in kept.get("tags", {}).items() if name not in tags}
            kept["evidence"] = without_person(kept.get("evidence"))
            place = and_(*self._at(row.timestamp, row.uid), r.version == row.version)
            self._tx.write(update(usage_revisions).where(place).values(record=kept))
            done += 1
        return done

    def forget(self, user_id: str, tags: Collection[str]) -> None:
        """Take a person's name out of the rollups, and values of these tags, where they sum up nothing by now."""
        forgetting.forget(self._tx, self._number, user_id=user_id, tags=tags)


def _columns(old: UsageRecord, new: UsageRecord) -> dict[str, Any]:
    """The columns that a correction may change."""
    whole_input, whole_output, cached, written, reasoning, meters = token_columns(new.quantities)
    evidence = dict(new.evidence or {})
    if "step_prices" in (old.evidence or {}):
        evidence["step_prices"] = (old.evidence or {})["step_prices"]  # they belong to the first cost, which stays
    flags = (ESTIMATED if new.estimated else 0) | (DISCREPANT if evidence.get("discrepancies") else 0)
    return {
        "input_tokens": whole_input,
        "output_tokens": whole_output,
        "cached_tokens": cached,
        "cache_write_tokens": written,
        "reasoning_tokens": reasoning,
        "meters": None if meters is None else json.loads(meters),
        "reported_cost_e10": new.reported_cost_e10,
        "latency_ms": new.latency_ms,
        "flags": flags or None,
        "provider": new.provider,
        "model_id": new.model_id,
        **{
            name: getattr(new, name) or None
            for name in (
                "project_id",
                "user_id",
                "team_id",
                "session_id",
                "service_tier",
                "processing",
                "region",
            )
        },
        "tags": dict(new.tags) or None,
        "metadata": _plain(new.metadata) or None,
        "evidence": _plain(evidence) or None,
    }


def _plain(value: Any) -> Any:
    """The same as what a JSON column takes: a Decimal that a body brought becomes a plain number."""
    return json.loads(json_text(value))

"""The requests of the matrix: every place of every operation filled with what belongs to somebody else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.isolation.document import Operation, Place
from tests.isolation.known import (
    BODIES,
    HEADERS,
    MORE_BODIES,
    QUERIES,
    SECRETS,
    SHARED_KINDS,
    VARIANTS,
    New,
    Own,
    path_kind,
)
from tests.isolation.tenant import Tenant

Query = tuple[tuple[str, Any], ...]
ORGANIZATION = "organization_id"


@dataclass(frozen=True)
class Request:
    """What is sent."""

    method: str
    path: str
    query: Query
    headers: Mapping[str, str]
    body: Any

    @property
    def text(self) -> str:
        """All that the caller said: what of this comes back is no leak."""
        return f"{self.path} {self.query} {self.headers} {self.body}"


@dataclass(frozen=True)
class Case:
    """One request before it is known in which installation, and by whom."""

    operation: Operation
    label: str
    path: Mapping[str, Any]
    query: Query = ()
    headers: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    matching: bool = False
    """A stranger's thing where a thing of that kind belongs: its owner must succeed with the same request."""

    own: bool = False
    """Nothing of anybody else's in it."""

    def request(self, tenant: Tenant, *, fresh: bool | None = None) -> Request:
        """As a tenant sends it. What it needs of its own to change or to end is made for it."""
        new = not self.operation.reads if fresh is None else fresh
        path = self.operation.path
        for name, value in self.path.items():
            path = path.replace(f"{{{name}}}", _put_in(value, tenant, fresh=new))
        query = tuple((name, _put_in(value, tenant, fresh=new)) for name, value in self.query)
        headers = _put_in(self.headers, tenant, fresh=new)
        return Request(self.operation.method, path, query, headers, _put_in(self.body, tenant, fresh=new))


def _put_in(value: Any, tenant: Tenant, *, fresh: bool) -> Any:
    """A value with the asker's own things and words in place of what stands for them."""
    if isinstance(value, New):
        end = "@example.com" if value.noun == "@" else ""
        return tenant.word(f"{value.noun.strip('@') or 'ana'}-{tenant.counted()}{end}")
    if isinstance(value, Own):
        return _own(value.kind, tenant, fresh=fresh)
    if isinstance(value, Mapping):
        return {name: _put_in(item, tenant, fresh=fresh) for name, item in value.items()}
    if isinstance(value, list):
        return [_put_in(item, tenant, fresh=fresh) for item in value]
    return value


def _own(kind: str, tenant: Tenant, *, fresh: bool) -> str:
    if kind.startswith("email of "):
        return tenant.people[kind.removeprefix("email of ")]
    if kind not in tenant.makers:
        return tenant.value(kind)
    return tenant.make(kind) if fresh else tenant.things[kind][-1]


def own_case(operation: Operation) -> Case:
    """The operation with nothing of anybody else's. Raises KeyError for a path parameter that no kind is known for."""
    name = str(operation)
    path = {parameter: Own(path_kind(operation.path, parameter)) for parameter in operation.names("path")}
    query = tuple(QUERIES.get(name, {}).items())
    body = _ours(BODIES.get(name, operation.example))
    return Case(operation, "own", path, query, HEADERS.get(name, {}), body, own=True)


def cases_of(operation: Operation, victim: Tenant) -> list[Case]:
    """The operation with what is the asker's own; then with something of the victim's in one place after the other."""
    own = own_case(operation)
    variants = [
        replace(own, label=f"own {more}", query=_merged(own.query, more)) for more in VARIANTS.get(str(operation), ())
    ]
    foreign = replace(own, own=False)
    return [own, *variants, *_in_path(foreign, victim), *_in_query(foreign, victim), *_in_the_rest(foreign, victim)]


def _ours(body: Any) -> Any:
    """A body that names the asker's organisation wherever it names one."""
    if isinstance(body, dict):
        return {name: Own(ORGANIZATION) if name == ORGANIZATION else _ours(item) for name, item in body.items()}
    return [_ours(item) for item in body] if isinstance(body, list) else body


def _in_path(own: Case, victim: Tenant) -> Iterator[Case]:
    """Every kind of the victim's ids in every place of the path."""
    for name in own.path:
        for kind, ids in victim.things.items():
            if kind in SHARED_KINDS | SECRETS:
                continue
            for value in dict.fromkeys((ids[0], ids[-1])):
                fits = path_kind(own.operation.path, name) == kind and value == ids[-1]
                yield replace(own, label=f"{{{name}}}={kind} {value}", path={**own.path, name: value}, matching=fits)
        yield replace(own, label=f"{{{name}}}=organization", path={**own.path, name: victim.organization_id})


def _in_query(own: Case, victim: Tenant) -> Iterator[Case]:
    """The victim's names in every parameter, said once and twice; in one that is not there at all, too."""
    theirs = victim.organization_id
    for name in own.operation.free("query"):
        for value in _values(name, victim):
            yield replace(own, label=f"?{name}={value}", query=_merged(own.query, {name: value}))
    if "tags" in own.operation.names("query"):
        yield replace(own, label="?tag", query=(*own.query, ("tag.secret", victim.word("tag"))))
    if ORGANIZATION in own.operation.names("query"):
        twice = ((ORGANIZATION, Own(ORGANIZATION)), (ORGANIZATION, theirs))
        yield replace(own, label="both organisations", query=(*own.query, *twice))
        yield replace(own, label="both organisations, turned", query=(*own.query, *twice[::-1]))
        for odd in (theirs.upper(), f"{theirs}.", "*", f"acme-labs,{theirs}"):
            yield replace(own, label=f"?{ORGANIZATION}={odd}", query=_merged(own.query, {ORGANIZATION: odd}))
    else:
        yield replace(own, label="an organisation that is not asked for", query=((ORGANIZATION, theirs),))


def _in_the_rest(own: Case, victim: Tenant) -> Iterator[Case]:
    """The victim's names in headers and in every place of the body; and all of a request as the victim's."""
    theirs = victim.organization_id
    said = dict.fromkeys(("X-Organization-ID", "X-Tenant-ID", "X-User-ID", "X-Forwarded-User"), theirs)
    yield replace(own, label="headers that say who asks", headers={**own.headers, **said})
    for name in own.operation.names("header"):
        for value in _values("idempotency_key" if name == "Idempotency-Key" else name, victim):
            yield replace(own, label=f"{name}: {value}", headers={**own.headers, name: value})
    for place, form in own.operation.places():
        for value in _values(str(place[-1]), victim):
            changed = _placed(own.body, place, [value] if form == "texts" else value)
            if changed is not None:
                yield replace(own, label=f"{'.'.join(map(str, place))}={value}", body=changed)
    for label, body in MORE_BODIES.get(str(own.operation), {}).items():
        yield replace(own, label=label, body=body(victim))
    path = {
        name: victim.things.get(path_kind(own.operation.path, name), [value])[-1] for name, value in own.path.items()
    }
    asks = ORGANIZATION in own.operation.names("query")
    query = _merged(own.query, {ORGANIZATION: theirs}) if asks else own.query
    body = _placed(own.body, (ORGANIZATION,), theirs) if _names_one(own.body) else own.body
    if (path, query, body) != (own.path, own.query, own.body):
        yield replace(own, label="as the victim", path=path, query=query, body=body, matching=True)


def _names_one(body: Any) -> bool:
    return isinstance(body, dict) and ORGANIZATION in body


def _values(name: str, victim: Tenant) -> list[str]:
    """What the victim has under a name, and its organisation; of a secret, which nobody else has, one that is bent."""
    own = victim.value(name)
    if name in SECRETS:
        own = f"{own[:-1]}{'a' if own[-1] != 'a' else 'b'}"
    return list(dict.fromkeys((own, victim.organization_id)))


def _merged(query: Query, more: Mapping[str, Any]) -> Query:
    return (*((n, v) for n, v in query if n not in more), *more.items())


def _placed(body: Any, place: Place, value: Any) -> Any:
    """The body with a value put in a place; None where the way there does not exist in it."""
    if not place:
        return value
    step, rest = place[0], place[1:]
    if isinstance(step, int):
        inner = _placed(body[0], rest, value) if isinstance(body, list) and body else None
        return None if inner is None else [inner, *body[1:]]
    if not isinstance(body, dict):
        return None
    inner = _placed(body.get(step), rest, value) if rest else value
    return None if inner is None else {**body, step: inner}

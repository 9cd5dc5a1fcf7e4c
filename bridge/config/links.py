"""What must hold between the parts of a configuration: links name declared networks, and no group
and no room is used twice.

Works on the file's plain values, so that it has its say when the shape of the file is at fault too.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from bridge.config.problem import KeyPath, Problem
from bridge.config.source import Source
from bridge.contract import Adapter
from bridge.wording import listed, nearest


class _WrittenLink(NamedTuple):
    at: KeyPath
    network: str
    group: str


def linked_groups(
    source: Source, adapters: Mapping[str, type[Adapter]], problems: list[Problem]
) -> dict[KeyPath, str]:
    """The normalised group of each link, by the link's key path.

    Args:
        source: the file.
        adapters: the networks' adapters, as far as they are known, by network id.
        problems: what is found wrong is added here.
    """
    portals = list(_portals(source.data.get("portals")))
    problems += _rooms_twice(source, portals)
    declared = _mapping(source.data.get("networks"))
    found: dict[KeyPath, str] = {}
    first: dict[tuple[str, str], KeyPath] = {}
    for link in (link for at, portal in portals for link in _links(at, portal)):
        if link.network not in declared:
            problems.append(_undeclared(source, link, declared))
        elif (adapter := adapters.get(link.network)) is not None and link.group:
            try:
                group = adapter.normalise(link.group)
            except ValueError as error:
                key = (*link.at, "group")
                problems.append(source.problem(key, "this group's id can't be right:", f"{error}"))
                continue
            found[link.at] = group
            before = first.setdefault((link.network, group), link.at)
            if before != link.at:
                problems.append(_twice(source, link, before))
    return found


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _portals(value: object) -> Iterator[tuple[KeyPath, Mapping[str, Any]]]:
    if isinstance(value, list):
        for index, portal in enumerate(value):
            yield ("portals", index), _mapping(portal)


def _links(at: KeyPath, portal: Mapping[str, Any]) -> Iterator[_WrittenLink]:
    links = portal.get("links")
    for index, link in enumerate(links if isinstance(links, list) else ()):
        network, group = _mapping(link).get("network"), _mapping(link).get("group")
        if isinstance(network, str):
            yield _WrittenLink(
                (*at, "links", index), network, group if isinstance(group, str) else ""
            )


def _rooms_twice(
    source: Source, portals: list[tuple[KeyPath, Mapping[str, Any]]]
) -> Iterator[Problem]:
    first: dict[str, KeyPath] = {}
    for at, portal in portals:
        room = portal.get("room")
        if isinstance(room, str) and (before := first.setdefault(room, at)) != at:
            line, _ = source.trace((*before, "room"))
            yield source.problem(
                (*at, "room"),
                f"this room already has a portal in line {line}.",
                "Put all its links under one portal.",
            )


def _undeclared(source: Source, link: _WrittenLink, declared: Mapping[str, object]) -> Problem:
    meant = nearest(link.network, declared)
    advice = f'Did you mean "{meant}"?' if meant else f"Declared there: {listed(declared)}."
    key = (*link.at, "network")
    return source.problem(key, "no network of this id is declared under networks.", advice)


def _twice(source: Source, link: _WrittenLink, before: KeyPath) -> Problem:
    line, _ = source.trace((*before, "group"))
    return source.problem(
        (*link.at, "group"),
        f"this group is already linked in line {line}.",
        "Delete one of the two links: a group belongs to one room.",
    )

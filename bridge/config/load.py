"""Reads a configuration file, and tells everything that is wrong with it at once.

Relative paths in the file (an SQLite database, secret files) are taken from the folder that the
file is in, so that it does not matter from where the bridge is started.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from pydantic import BaseModel, SecretStr, ValidationError
from sqlalchemy.engine import make_url

from bridge.config.links import linked_groups
from bridge.config.placeholder import placeholders, secrets_in
from bridge.config.problem import KeyPath, Problem, UnusableConfig
from bridge.config.schema import Config, Network, Portal
from bridge.config.source import Source, read_source
from bridge.config.words import explain
from bridge.contract import Adapter, Settings
from bridge.discovery import find_adapter
from bridge.errors import AdapterError
from bridge.model import MATRIX
from bridge.secret import DIRECTORY


@dataclass(frozen=True, slots=True)
class LoadedNetwork:
    """One network, ready to be made: `adapter.create(network=id, name=name, settings=settings)`."""

    id: str
    name: str
    adapter: type[Adapter]
    settings: Settings


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A configuration without problems.

    `config` has an absolute database path and links with their groups normalised. `stand_ins` are
    the secrets that still have to be replaced by real ones.
    """

    path: Path
    config: Config
    networks: Mapping[str, LoadedNetwork]
    stand_ins: tuple[Problem, ...] = ()

    def groups(self, network: str) -> tuple[str, ...]:
        """The normalised ids of the groups that are linked on a network."""
        return tuple(link.group for link in self.config.links if link.network == network)

    def secrets(self) -> tuple[SecretStr, ...]:
        """Every secret of the file, for those who must keep them out of sight."""
        models = [self.config, *(network.settings for network in self.networks.values())]
        found = [secret for model in models for _, secret in secrets_in(model)]
        password = make_url(self.config.database.url).password
        return (*found, SecretStr(password)) if password else tuple(found)

    def ready(self) -> "LoadedConfig":
        """Itself, if every secret is a real one.

        Raises:
            UnusableConfig: the stand-ins of the example are still there.
        """
        if self.stand_ins:
            raise UnusableConfig(self.path, self.stand_ins)
        return self


def load(path: Path) -> LoadedConfig:
    """Read and validate a configuration file, with the settings of every network's adapter.

    Raises:
        UnusableConfig: it can't be used; holds every problem that could be found.
    """
    source = read_source(path)
    directory = path.absolute().parent
    problems = list(source.problems)
    config = _config(source, directory, problems)
    networks = dict(_networks(source, directory, problems))
    groups = linked_groups(
        source, {id_: found.adapter for id_, found in networks.items()}, problems
    )
    if problems or config is None:
        raise UnusableConfig(path, problems)
    config = config.model_copy(
        update={
            "database": config.database.located(directory),
            "portals": _with_groups(config.portals, groups),
        }
    )
    models: dict[KeyPath, BaseModel] = {(): config}
    models |= {("networks", id_): found.settings for id_, found in networks.items()}
    stand_ins = tuple(placeholders(source, models))
    return LoadedConfig(path, config, MappingProxyType(networks), stand_ins)


def _config(source: Source, directory: Path, problems: list[Problem]) -> Config | None:
    """The file's own shape; None when it has problems."""
    try:
        return Config.model_validate(source.data, context={DIRECTORY: directory})
    except ValidationError as error:
        problems += explain(error, Config, source)
        return None


def _networks(
    source: Source, directory: Path, problems: list[Problem]
) -> Iterator[tuple[str, LoadedNetwork]]:
    """Every network whose adapter is known, by id. Those with problems have empty settings."""
    declared = source.data.get("networks")
    for id_, keys in (declared if isinstance(declared, dict) else {}).items():
        at: KeyPath = ("networks", id_)
        if id_ == MATRIX:
            advice = "Give the network another id."
            problems.append(source.problem(at, "this id is reserved for the Matrix side.", advice))
        if not isinstance(keys, dict) or not isinstance(kind := keys.get("type"), str) or not kind:
            continue
        try:
            adapter = find_adapter(kind)
        except AdapterError as error:
            problems.append(source.problem((*at, "type"), error.sentence, error.advice))
            continue
        shared = Network.model_fields
        own = {key: value for key, value in keys.items() if key not in shared}
        try:
            settings = adapter.settings.model_validate(own, context={DIRECTORY: directory})
        except ValidationError as error:
            problems += explain(error, adapter.settings, source, at, shared)
            settings = adapter.settings.model_construct()
        name = keys.get("name")
        shown = name if isinstance(name, str) and name else id_
        yield id_, LoadedNetwork(id_, shown, adapter, settings)


def _with_groups(portals: Iterable[Portal], groups: Mapping[KeyPath, str]) -> tuple[Portal, ...]:
    """The same portals, with every link's group in its one spelling."""
    return tuple(
        portal.model_copy(
            update={
                "links": tuple(
                    link.model_copy(update={"group": groups["portals", at, "links", index]})
                    for index, link in enumerate(portal.links)
                )
            }
        )
        for at, portal in enumerate(portals)
    )

"""What the configuration says of links reaches the parts that go by it."""

from collections.abc import Callable
from pathlib import Path

from bridge.assembly.policies import policies, restraints
from bridge.config.load import load
from bridge.model import Place
from bridge.portals.policy import Carried, Policy


def test_the_configuration_says_what_links_ask_for(config_file: Callable[[str], Path]) -> None:
    text = """\
homeserver: {url: "http://localhost:8008/", domain: example.org}
appservice: {url: "http://localhost:29300", as_token: as-hunter2, hs_token: hs-hunter2}
networks:
  aviary: {type: xmpp, mode: account, jid: a@b.test, password: key-hunter2}
portals:
  - room: "#board:example.org"
    links:
      - network: aviary
        group: seeds@muc.b.test
        policy: {carry: [messages], byline: "[{name}]", quiet: "22:00-07:00", most_per_hour: 9}
      - {network: aviary, group: nuts@muc.b.test}
"""
    loaded = load(config_file(text))
    seeds, nuts = (Place("aviary", f"{name}@muc.b.test") for name in ("seeds", "nuts"))
    assert policies(loaded)(seeds) == Policy(frozenset({Carried.MESSAGES}), "[{name}]")
    assert policies(loaded)(nuts) == Policy()
    assert restraints(loaded)(seeds) is not None
    assert restraints(loaded)(nuts) is None

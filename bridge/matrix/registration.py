"""What the homeserver must know about the bridge: its registration as an application service."""

import re

import yaml

from bridge.config.schema import Config
from bridge.matrix.raw import JsonObject

_HEADER = """\
# Written by `consilium registration`. It holds secrets.
# Name this file under app_service_config_files in Synapse's homeserver.yaml and restart Synapse.
"""


def registration(config: Config) -> JsonObject:
    """The registration as a JSON-like object, with its secrets in the clear.

    See https://spec.matrix.org/v1.19/application-service-api/#registration. The keys beyond the
    specification are the names that older homeservers have for what is in it by now, and the
    announcements that encryption needs (MSC3202, MSC4190).

    The sender is neither the bot nor a ghost, and never speaks; see `Config.sender_id`.

    The aliases of portals are claimed too, but not exclusively: a homeserver lets an application
    service make only aliases that it has claimed.
    """
    service = config.appservice
    domain = re.escape(config.homeserver.domain)
    prefix = re.escape(service.ghost_prefix)
    return {
        "id": service.id,
        "url": service.url,
        "as_token": service.as_token.get_secret_value(),
        "hs_token": service.hs_token.get_secret_value(),
        "sender_localpart": config.sender_id[1:].partition(":")[0],
        "rate_limited": False,
        "receive_ephemeral": True,
        "de.sorunome.msc2409.push_ephemeral": True,
        "io.element.msc4190": True,
        "org.matrix.msc3202": True,
        "namespaces": {
            "users": [
                {"exclusive": True, "regex": config.ghost_pattern},
                {"exclusive": True, "regex": f"@{re.escape(service.bot)}:{domain}"},
            ],
            "aliases": [
                {"exclusive": True, "regex": f"#{prefix}.+:{domain}"},
                *({"exclusive": False, "regex": re.escape(name)} for name in _own_aliases(config)),
            ],
            "rooms": [],
        },
    }


def _own_aliases(config: Config) -> list[str]:
    domain = config.homeserver.domain
    names = (portal.room for portal in config.portals)
    return [name for name in names if name.startswith("#") and name.partition(":")[2] == domain]


def registration_yaml(config: Config) -> str:
    """The registration file's text."""
    content = yaml.safe_dump(registration(config), sort_keys=False, allow_unicode=True)
    return _HEADER + content

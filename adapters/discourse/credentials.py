"""As whom the forum is spoken to. The one place to change for doctors with logins of their own."""

from collections.abc import Mapping

from adapters.discourse.settings import DiscourseSettings
from bridge.model import Author


class Credentials:
    """Headers that say who asks (docs.discourse.org, "Authentication").

    Everybody is spoken for by one user. A doctor with a user API key would be spoken for by
    `User-Api-Key: …` instead, without a by-line; that is a matter of `of` alone, and of
    `Capabilities.own_names`.
    """

    def __init__(self, settings: DiscourseSettings) -> None:
        self._relay = {
            "Api-Key": settings.api_key.get_secret_value(),
            "Api-Username": settings.username,
        }

    @property
    def relay(self) -> Mapping[str, str]:
        """Those of the bridge itself."""
        return self._relay

    def of(self, author: Author) -> Mapping[str, str]:  # noqa: ARG002 - logins come later
        """Those to act with for an author."""
        return self._relay

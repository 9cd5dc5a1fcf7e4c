"""Two made-up hospitals, each a network of its own, for the demo and the tests."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Hospital:
    """An organisation with an XMPP service: accounts, rooms, and a component for the bridge."""

    domain: str
    name: str
    component_secret: str = field(default="a-secret-of-the-sandbox", repr=False)

    @property
    def network(self) -> str:
        """Its id in the bridge's configuration."""
        return self.domain.partition(".")[0]

    @property
    def muc(self) -> str:
        """The domain of its rooms."""
        return f"muc.{self.domain}"

    @property
    def uploads(self) -> str:
        """The domain that takes files."""
        return f"files.{self.domain}"

    @property
    def component(self) -> str:
        """The domain the bridge may speak for."""
        return f"consilium.{self.domain}"

    def room(self, name: str) -> str:
        """The address of one of its rooms."""
        return f"{name}@{self.muc}"


HOSPITAL_A = Hospital("hospital-a.test", "Hospital A")
HOSPITAL_B = Hospital("hospital-b.test", "Hospital B")
HOSPITALS = (HOSPITAL_A, HOSPITAL_B)

"""The whole suite."""

from bridge.testing.parts.changes import Changes
from bridge.testing.parts.checking import Checking
from bridge.testing.parts.declaring import Declares
from bridge.testing.parts.faults import Faults
from bridge.testing.parts.files import Files
from bridge.testing.parts.honesty import Honesty
from bridge.testing.parts.joining import Joining
from bridge.testing.parts.past import Past
from bridge.testing.parts.people import People
from bridge.testing.parts.surroundings import Surroundings
from bridge.testing.parts.talking import Talking
from bridge.testing.parts.threads import Threads


class Contract(
    Declares,
    Joining,
    Talking,
    Changes,
    Threads,
    Files,
    People,
    Surroundings,
    Past,
    Honesty,
    Checking,
    Faults,
):
    """Every test there is; see `bridge.testing` for its use.

    Set `kind`, `adapter` and `make_lab`, and what else of `bridge.testing.base.Part` is not as it
    is for most networks.
    """

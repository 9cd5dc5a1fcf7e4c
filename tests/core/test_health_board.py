"""Each change of state is told once."""

from bridge.contract import Health
from bridge.health import HealthBoard


def test_a_change_is_told_and_a_repetition_is_not(logged: list[dict[str, object]]) -> None:
    board = HealthBoard()
    told: list[tuple[str, Health]] = []
    board.watch(lambda network, health: told.append((network, health)))
    down, up = Health(up=False, reason="refused"), Health(up=True)
    group_up = Health(up=True, group="ward")
    for health in (down, down, group_up, up, up, down):
        board.report("hospital-a", health)
    board.report("hospital-b", up)
    assert told == [
        ("hospital-a", down),
        ("hospital-a", group_up),
        ("hospital-a", up),
        ("hospital-a", down),
        ("hospital-b", up),
    ]
    assert [entry["event"] for entry in logged] == ["down", "up", "up", "down", "up"]
    assert board.states() == {
        ("hospital-a", None): down,
        ("hospital-a", "ward"): group_up,
        ("hospital-b", None): up,
    }

import asyncio

import pytest

from eventd.surviving import Surviving


def test_a_defect_ends_with_its_step_and_is_told_with_what_else_went_wrong() -> None:
    told: list[tuple[str, str]] = []
    faults = [ValueError("of a rule")]

    def take() -> list[ValueError]:
        taken = faults[:]
        faults.clear()
        return taken

    surviving = Surviving("route", lambda where, error: told.append((where, str(error))), take)
    with surviving:
        with surviving:
            raise KeyError("inner")
        reached = True
    with surviving:
        pass
    assert reached
    assert told == [("route", "'inner'"), ("route", "of a rule")]


@pytest.mark.parametrize("end", [KeyboardInterrupt, asyncio.CancelledError])
def test_an_order_to_stop_is_no_defect(end: type[BaseException]) -> None:
    told: list[Exception] = []
    with pytest.raises(end), Surviving("route", lambda _, error: told.append(error), list):
        raise end
    assert told == []

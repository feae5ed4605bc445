"""Labels that stand beside their lines and not on each other."""


def spaced(places: list[float], gap: float, height: float) -> list[float]:
    """Move rising places apart by at least a gap, as little as can be, within a height.

    >>> spaced([10.0, 11.0, 50.0], gap=15.0, height=200.0)
    [10.0, 25.0, 50.0]
    >>> spaced([190.0, 199.0], gap=15.0, height=200.0)
    [177.5, 192.5]
    """
    moved, least = [], gap / 2
    for place in places:
        moved.append(max(place, least))
        least = moved[-1] + gap
    most = height - gap / 2
    for i in reversed(range(len(moved))):
        moved[i] = min(moved[i], most)
        most = moved[i] - gap
    return moved

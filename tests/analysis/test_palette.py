"""Methods can be told apart by how they are drawn, in the figures and on the page."""

from adkd.analysis.figures.palette import VARIABLES, looks
from adkd.analysis.page import curves
from adkd.plan.grid import TEACHER, Grid


def test_twenty_methods_look_different_and_alike_on_the_page(tree):
    names = [f"m{number}" for number in range(19)]
    grid = Grid.load(tree(tasks=("rte",), seeds=(1,), skill=dict.fromkeys([*names, "adkd"], 1.0)) / "plan/grid.json")
    drawn, shown = looks(grid), curves.looks(grid)
    assert len({(look.color, look.marker) for look in drawn.values()}) == 20
    assert len({(mark["color"], mark["shape"]) for mark in shown.values()}) == 21, "the teacher too"
    assert set(shown) == {*names, "adkd", TEACHER}
    assert all(shown[method]["color"] == f"var(--{VARIABLES[look.color]})" for method, look in drawn.items())
    assert [method for method, look in drawn.items() if look.color == drawn["adkd"].color] == ["adkd"]

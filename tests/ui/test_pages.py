"""What holds on every page."""

from itertools import permutations

import pytest

from tests.ui.visiting import assert_clean, keys, opened

BOXES = {
    "explore": ("more", "share", "downloads", "equations"),
    "clipping": ("more", "share", "corners"),
    "train": ("more", "share"),
    "map": ("more", "share"),
    "your_model": ("open", "share", "downloads"),
}


@pytest.mark.parametrize("page", BOXES)
def test_every_box_opens(page):
    app = opened(*BOXES[page], page=page)
    assert_clean(app)
    assert len(keys(app)) > len(keys(opened(page=page)))


@pytest.mark.parametrize(("page", "other"), [*permutations(BOXES, 2)])
def test_a_visitor_goes_to_another_page_and_back(page, other):
    app = opened(page=page, length="20")
    address = dict(app.query_params)
    for name in (other, page):
        app.query_params.clear()
        app.switch_page(f"rnnviz/ui/pages/{name}.py").run()
        assert_clean(app)
        assert not app.warning
    assert app.query_params == address


def test_the_projector_comes_along_and_leaves_the_story():
    app = opened(page="train", preset="which-came-first")
    app.query_params.clear()
    app.switch_page("rnnviz/ui/pages/explore.py").run()
    app.session_state["more"] = True
    app.run()
    app.toggle(key="projector").set_value(True).run()
    app.query_params.clear()
    app.switch_page("rnnviz/ui/pages/train.py").run()
    assert app.query_params == {"preset": "which-came-first", "projector": "true"}

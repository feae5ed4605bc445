"""The app without a browser, as the tests of its pages open and touch it."""

import json
import re
from pathlib import Path

from streamlit.testing.v1 import AppTest

APP = Path(__file__).parents[2] / "app.py"
WIDGETS = (
    "selectbox",
    "multiselect",
    "segmented_control",
    "select_slider",
    "toggle",
    "number_input",
    "text_input",
    "text_area",
)
WIDGETS += ("button", "download_button", "popover", "expander")


def opened(*popovers, page="explore", **parameters):
    """A page of the app at an address, with some of its popovers open."""
    app = AppTest.from_file(str(APP), default_timeout=60)
    for name in popovers:
        app.session_state[name] = True
    app.switch_page(f"rnnviz/ui/pages/{page}.py")
    app.query_params |= parameters
    app.run()
    assert not app.exception
    return app


def _component(app, key):
    (component,) = (each for each in app.get("bidi_component") if each.proto.id.endswith(f"-{key}"))
    return component


def stage(app, key="stage"):
    """What a stage was sent."""
    return json.loads(_component(app, key).proto.bytes)


def ask(app, key="stage", **question):
    """What a stage does when a visitor touches it."""
    states = app._tree.get_widget_states()
    states.widgets.add(id=_component(app, key).proto.id, json_value=json.dumps({"ask": question}))
    app._run(states)
    assert not app.exception
    return stage(app, key)


def drawn(found):
    """The charts that were drawn."""
    return {chart["name"] for chart in found["charts"] if chart["drawn"]}


def chart(app, key, name):
    """A chart as a stage was sent it."""
    (found,) = (each for each in stage(app, key)["charts"] if each["name"] == name)
    return found


def keys(app):
    return {getattr(widget, "key", None) for kind in WIDGETS for widget in app.get(kind)} | {
        box.proto.id.rsplit("-", 1)[-1] for kind in ("popover", "expander") for box in app.get(kind)
    }


def unescaped(sentence):
    """A sentence as it is read, with the escapes of Markdown taken out."""
    return re.sub(r"\\(.)", r"\1", sentence)


def sentences(app):
    kinds = (app.markdown, app.warning, app.caption, app.error, app.success, app.info)
    return [element.value for kind in kinds for element in kind]


def assert_clean(app):
    """No stack trace, no path, no markup of a visitor."""
    assert not app.exception
    assert not app.error
    for sentence in sentences(app):
        assert not re.search(r"(?<!\\)<\s*(script|img|b)\b", sentence), sentence
        assert not re.search(r"(?<!\\)\]\(", sentence), sentence
        assert not any(word in sentence for word in (str(APP.parent), "Traceback", "site-packages")), sentence
    for complaint in app.warning:
        assert unescaped(complaint.value).endswith("."), complaint.value

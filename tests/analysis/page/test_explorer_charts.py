import json

import altair as alt
import pytest

from analysis.laws.regressors import REGRESSORS
from analysis.page.explorer_charts import crossings_chart, curves_chart
from analysis.page.explorer_looks import AXES, LAWS, STATES

CHARTS = {"crossings": crossings_chart, "curves": curves_chart}


@pytest.mark.parametrize("name", CHARTS)
def test_charts_are_valid_vega_lite_that_asks_for_nothing_from_a_network(name):
    chart = CHARTS[name]()
    alt.Chart.from_dict(chart, validate=True)
    text = json.dumps(chart)
    assert "http" not in text
    assert '"url"' not in text
    assert chart["width"] == "container"


@pytest.mark.parametrize("name", CHARTS)
def test_charts_highlight_one_run_by_a_parameter(name):
    chart = CHARTS[name]()
    assert {"name": "marked", "value": ""} in chart["params"]
    assert "datum.run === marked" in json.dumps(chart["layer"])


def test_data_have_names_and_no_values():
    named = {name: {layer["data"]["name"] for layer in CHARTS[name]()["layer"]} for name in CHARTS}
    assert named == {"crossings": {"laws", "runs", "means"}, "curves": {"curves", "threshold"}}


def test_every_layer_of_crossings_has_axes_that_the_script_can_change():
    for layer in crossings_chart()["layer"]:
        for channel in ("x", "y"):
            assert layer["encoding"][channel]["scale"]["type"] == "log"
            assert layer["encoding"][channel]["title"]


def test_axes_are_the_horizon_and_every_regressor():
    assert set(AXES) == {"h", *REGRESSORS}


def test_a_censored_run_has_a_mark_of_its_own():
    (runs,) = [one for one in crossings_chart()["layer"] if one["data"]["name"] == "runs"]
    shapes = runs["encoding"]["shape"]["scale"]
    assert dict(zip(shapes["domain"], shapes["range"], strict=True)) == {
        STATES[0]: "circle",
        STATES[1]: "triangle-up",
        STATES[2]: "triangle-down",
    }
    assert runs["encoding"]["fill"]["condition"]["test"] == "datum.state === 'reached'"


def test_laws_differ_in_more_than_colour():
    assert len({tuple(dash) for _, _, dash in LAWS.values()}) == len(LAWS)

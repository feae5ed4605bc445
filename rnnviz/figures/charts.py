"""Every chart of the Explore page, in its order. A new chart is a function and a line here."""

from rnnviz.figures.chart import Chart
from rnnviz.figures.flow import gradient_norms
from rnnviz.figures.itemised import itemised_map
from rnnviz.figures.jacobian import step_jacobians
from rnnviz.figures.optimiser import parameter_gradients
from rnnviz.figures.states import hidden_states, unit_gradients
from rnnviz.figures.unrolled import unrolled_network

CHARTS = {
    chart.name: chart
    for chart in (
        Chart("norms", gradient_norms, views=("measure", "overlays")),
        Chart("states", hidden_states, views=("states",)),
        Chart("units", unit_gradients, views=("shade",)),
        Chart("itemised", itemised_map, steps="xy"),
        Chart("jacobians", step_jacobians),
        Chart("optimiser", parameter_gradients, steps="x2"),
        Chart("unrolled", unrolled_network, steps="own"),
    )
}

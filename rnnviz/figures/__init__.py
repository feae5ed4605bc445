"""Charts: each a function from a result to a plotly figure. The numbers come from the result and are only laid out."""

"""From what a user asks for to a run: Config, inputs, the one door `run`. numpy only."""

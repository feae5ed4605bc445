"""The command line: `rnnviz run`, `sweep`, `trace` and `app`."""

import click

from rnnviz import __version__
from rnnviz.cli.app import app
from rnnviz.cli.run import run
from rnnviz.cli.sweep import sweep
from rnnviz.cli.trace import trace


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__)
def command() -> None:
    """See how gradients move through recurrent networks.

    Every number is computed by exact back-propagation through time. Start with

      rnnviz run --cell lstm --steps 200

    and read on with rnnviz COMMAND --help.
    """


for each in (run, sweep, trace, app):
    command.add_command(each)

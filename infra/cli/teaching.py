"""Commands whose help ends in examples, printed as they are written."""

from __future__ import annotations

import textwrap

import click


class _Taught:
    """Prints the epilog line by line; click would fold it into a paragraph."""

    epilog: str | None

    def format_epilog(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the epilog."""
        if self.epilog:
            formatter.write_paragraph()
            formatter.write(f"{textwrap.dedent(self.epilog).strip()}\n")


class TaughtCommand(_Taught, click.Command):
    """A command with examples in its epilog."""


class TaughtGroup(_Taught, click.Group):
    """A group with examples in its epilog, and so are its commands unless they say otherwise."""

    command_class = TaughtCommand

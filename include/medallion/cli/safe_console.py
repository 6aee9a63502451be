"""A console whose text cannot give orders to the terminal. In the user's shell."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from medallion.core.text import for_terminal


class SafeConsole(Console):
    """Rich's console. Its own styles and movements of the cursor stay; those inside a text are shown and not obeyed."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The pieces of a renderable, each text made safe."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(for_terminal(segment.text), segment.style)

"""What all pages share."""

from __future__ import annotations

from dataclasses import dataclass

from jinja2 import Environment

from learndock.client.dock import Dock
from services.console.config import Settings
from services.console.desk import Desk
from services.console.predictions import Predictions
from services.console.sessions import SessionSeal


@dataclass(frozen=True)
class Site:
    """The console's parts.

    Attributes
    ----------
    settings
        What it was told.
    seal
        Makes cookies.
    desk
        What visitors have under way.
    predictions
        Reuses at work.
    templates
        The pages.
    """

    settings: Settings
    seal: SessionSeal
    desk: Desk
    predictions: Predictions
    templates: Environment

    def connect(self, token: str) -> Dock:
        """A connection to the dock for whoever holds a token, empty for nobody; the caller closes it."""
        return Dock(self.settings.dock_address, token, ca_file=self.settings.dock_ca_file or None)

    @property
    def shown_address(self) -> str:
        """Address that copied code names."""
        return self.settings.shown_address or self.settings.dock_address

"""A simulated marketplace with hidden causes: people, goods, parcels, quarrels and banks, and what of it reaches the ledger."""

from pipelines.marketplace.events import Events, happen
from pipelines.marketplace.parameters import WORLDS, Marketplace, parameters_from, world

__all__ = ["WORLDS", "Events", "Marketplace", "happen", "parameters_from", "world"]

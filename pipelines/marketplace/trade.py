"""Trade: who there is, what is sold, what was ordered, and what became of it, before anybody complains."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from features.kernel import Int
from pipelines.marketplace.draws import end
from pipelines.marketplace.goods import Listings, Products, Sellers, listings, products, sellers
from pipelines.marketplace.orders import Orders, Strangers, orders
from pipelines.marketplace.parameters import Marketplace
from pipelines.marketplace.parcels import Halted, Parcels, Scans, halted, parcels, scans
from pipelines.marketplace.people import People, people, registered


@dataclass(frozen=True)
class Trade:
    """All of it: accounts, those that strangers opened, sellers, products, listings, orders, and what became of each."""

    folk: People
    strangers: Strangers
    who: Sellers
    what: Products
    pages: Listings
    bought: Orders
    stops: Halted
    sent: Parcels
    scans: Scans

    @property
    def accounts(self) -> Int:
        """Codes of all accounts: those of people, then those that strangers opened."""
        return np.asarray(np.r_[np.arange(len(self.folk)), self.strangers.buyer])


def trade(draw: Mapping[str, Generator], m: Marketplace) -> Trade:
    """All trade until the ledger's end, each step with the generator of its name."""
    folk = people(draw["people"], m)
    who = sellers(draw["sellers"], m)
    what = products(draw["products"], m, who)
    pages = listings(draw["listings"], m, who, what)
    bought, strangers = orders(draw["orders"], m, folk, who, what, pages)
    folk = replace(folk, joined=registered(draw["registered"], folk, bought.buyer, bought.at))
    stops = halted(draw["halted"], m, bought)
    sent = parcels(draw["parcels"], m, bought, stops, who, what)
    return Trade(
        folk, strangers, who, what, pages, bought, stops, sent, scans(draw["scans"], bought, sent, who, end(m))
    )

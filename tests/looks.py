"""Simple looks at every table of a ledger, as an analyst's first hour would take them: many columns, none of them clever."""

import pandas as pd

Tables = dict[str, pd.DataFrame]
SOON = pd.Timedelta(days=10)
"""How long after a dispute messages, scans and evidence are looked at."""
LINKS = ("address_id", "device_id", "ip_id", "instrument_id", "email_id")


def days(wait: "pd.Series[pd.Timedelta]") -> "pd.Series[float]":
    return wait.dt.total_seconds() / 86_400


def at_orders(made: Tables) -> pd.DataFrame:
    """Looks at each order and what surrounds it, whenever that was learnt; one row for each order by `order_id`."""
    orders = made["orders"].merge(made["buyers"].add_prefix("buyer_"), left_on="buyer_id", right_on="buyer_buyer_id")
    pages = made["listings"].drop(columns="seller_id").sort_values("at")
    orders = pd.merge_asof(orders.sort_values("at"), pages.add_prefix("page_"), left_on="at", right_on="page_at",
                           left_by="product_id", right_by="page_product_id")  # fmt: skip
    shipped = made["shipments"].drop_duplicates("order_id").add_prefix("sent_")
    orders = orders.merge(shipped, left_on="order_id", right_on="sent_order_id", how="left")
    units = orders["page_stated_quantity"].fillna(1) * orders["quantity"]
    found = {
        "order_id": orders["order_id"],
        "tenure": days(orders["at"] - orders["buyer_at"]),
        "hour": orders["at"].dt.hour,
        "microseconds": orders["at"].astype("int64") % 1_000,
        "amount": orders["amount"],
        "quantity": orders["quantity"],
        "countries differ": orders["ship_country"] != orders["bill_country"],
        "not where he lives": orders["buyer_country"] != orders["ship_country"],
        "price to brand": orders["page_price"] / orders["page_brand_price"],
        "authorised": orders["page_brand_authorised"],
        "title": orders["page_title"].str.len(),
        "imitation": orders["page_title"].str.contains("inspired|style|compatible|part|replica"),
        "units": units,
        "weight": orders["sent_carrier_weight"] / (orders["page_unit_weight"] * units),
        "weight declared": orders["sent_carrier_weight"] / orders["sent_declared_weight"],
        "handling": days(orders["sent_at"] - orders["at"]),
        "platform logistics": orders["sent_platform_logistics"],
        "receipt": orders["sent_receipt"],
        "checked": orders["order_id"].isin(made["address_checks"]["order_id"]),
        "cancelled": orders["order_id"].isin(made["cancellations"]["order_id"]),
    }
    unknown = [c for c in orders.columns[orders.isna().any()] if not c.endswith("_at")]
    found |= {f"{column} unknown": orders[column].isna() for column in unknown}
    found |= {f"buyers on {link}": orders.groupby(link)["buyer_id"].transform("nunique") for link in LINKS}
    numbered = [
        column for column in orders.columns if column in (*LINKS, "buyer_id", "seller_id", "product_id", "login_id")
    ]
    found |= {f"number of {column}": orders[column].str.extract(r"(\d+)")[0] for column in numbered}
    return pd.DataFrame(found).set_index("order_id").astype(float)


def at_disputes(made: Tables) -> pd.DataFrame:
    """Looks at each dispute and its order, some days after it was opened, and at how it was ruled; by `dispute_id`."""
    disputes = made["disputes"].merge(made["orders"], on="order_id", suffixes=("", "_of_order"))
    found = pd.DataFrame(
        {
            "dispute_id": disputes["dispute_id"],
            "claimed": disputes["claimed"] / disputes["amount"],
            "age": days(disputes["at"] - disputes["at_of_order"]),
            "promised": days(disputes["at"] - disputes["promised_at"]),
            "since event": days(disputes["at"] - disputes["happened_at"]),
            "no event": disputes["happened_at"].isna(),
            "reported": disputes["order_id"].isin(made["reports"]["order_id"]),
            "before, of the buyer": disputes.groupby("buyer_id").cumcount(),
            "before, of the seller": disputes.groupby("seller_id").cumcount(),
            "before, of the product": disputes.groupby("product_id").cumcount(),
        }
    ).set_index("dispute_id")
    key = disputes[["dispute_id", "order_id"]].assign(opened=disputes["at"])
    shown = made["evidence"][made["evidence"]["case_kind"] == "dispute"].rename(columns={"case_id": "dispute_id"})
    hashes = shown.groupby("content_hash")["dispute_id"].transform("nunique")
    decided = made["decisions"][made["decisions"]["case_kind"] == "dispute"].rename(columns={"case_id": "dispute_id"})
    soon = {
        "scan": made["scans"].merge(key, on="order_id"),
        "said": made["messages"].drop(columns="dispute_id").merge(key, on="order_id"),
        "shown": shown.merge(key, on="dispute_id"),
    }
    parts = [found, pd.get_dummies(disputes.set_index("dispute_id")["reason"])]
    for name, rows in soon.items():
        early = rows[rows["at"] < rows["opened"] + SOON]
        who = early["sender"] if name == "said" else early["party"] if name == "shown" else ""
        parts.append(pd.crosstab(early["dispute_id"], name + " " + who + " " + early["kind"]))
    parts.append(shown.assign(hashes=hashes).groupby("dispute_id")["hashes"].max().to_frame("pictures shared"))
    parts.append(pd.get_dummies(decided.set_index("dispute_id")["action"], prefix="decided"))
    first = made["rulings"].drop_duplicates("dispute_id").set_index("dispute_id")
    parts += [pd.get_dummies(first["outcome"], prefix="ruled"), pd.get_dummies(first["fault"], prefix="fault")]
    looked = pd.concat([part.reindex(found.index) for part in parts], axis=1).astype(float).fillna(-1)
    own = at_orders(made).reindex(disputes["order_id"]).set_axis(found.index)
    return pd.concat([looked, own], axis=1)

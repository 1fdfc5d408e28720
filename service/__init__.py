"""The online service: one case at a time over a store or a ledger, as a function and over HTTP; its face is `serve`."""

"""Views: the read side of the book, on pooled connections of its own, for any thread.

One function a query, frozen values out. Nothing here writes, and nothing here decides
who may see what: a door passes the tenant whose rows it may show, and gets no others.
Neighbours: `store.tables` names the columns; `api` asks.
"""

from comptoir.store.views.reading import Page, Views

__all__ = ["Page", "Views"]

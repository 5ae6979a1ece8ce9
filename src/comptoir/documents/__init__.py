"""Documents: what a customer, a tax office or a bookkeeper reads, made of what is final.

An adapter beside `store`: it takes values of `billing` and gives bytes, and writes nothing into
the book. The same values make the same bytes, so a document is never kept: it is made again.
Needs the extra `comptoir[documents]`. Neighbours: `api` hands the bytes out.
"""

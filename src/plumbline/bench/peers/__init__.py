"""Peers of the accept measurement (对照实现): the two usual ways of writing such a service, each a web application with a mapper.

`ninja_orm` and `fastapi_sa` promise what we promise: entry, claims, leaf, nodes and head in one durable transaction a
request, then checkpoint and receipt. `ninja_bare` and `fastapi_bare` store one row and promise nothing: they do less and are shown for
information. The checks, and all hashing, proving and signing, are our own functions on every side, so that none of that is compared.
"""

"""Peers of the accept measurement (对照实现): the same checks and the same row by the two usual ways of writing such a service.

Each is an ordinary web application with an object-relational mapper, one row and one durable commit a request. The
checks are our own functions, so that nobody's parsing is compared. A peer keeps no log and gives no receipt: it does less.
"""

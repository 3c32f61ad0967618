"""The outside world in one process: a payment gateway and a carrier that keep their own books.

It is a separate HTTP server with its own durable record, so that what it did can be counted there and not in
our tables. It imports nothing of the apps and needs no Django: `manage.py sandbox` and
`python -m config.sandbox` start the same server.
"""

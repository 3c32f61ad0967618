"""The "Online Retail" format: one row per invoice line, as published by the UCI repository.

The files are read as a stream: `reading` gives lines, `rows` values, `invoices` whole documents, `classes`
says what each is, `order`, `credits` and `adjustments` turn them into facts, `file` puts these together.
"""

from orders.imports.online_retail.file import OnlineRetailFile

__all__ = ["OnlineRetailFile"]

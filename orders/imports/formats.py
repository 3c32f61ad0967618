"""The formats that can be imported, by the name a user gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from orders.imports.online_retail import OnlineRetailFile
from orders.imports.records import OrderFile

FORMATS: dict[str, Callable[[Path], OrderFile]] = {"online-retail": OnlineRetailFile}

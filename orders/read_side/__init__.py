"""The read side of orders: rows made from events alone, for whoever looks and never for whoever decides."""

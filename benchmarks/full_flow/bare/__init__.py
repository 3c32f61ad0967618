"""The flow written by hand: the rows that Waybill leaves, set-based, with no engine, no framework and no readers."""

"""The shop as an app of Waybill: a definition, its steps and their undos, set-based."""

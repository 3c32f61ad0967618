"""The demonstration: real orders through the whole system, from one command."""

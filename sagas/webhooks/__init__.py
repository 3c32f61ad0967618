"""Outgoing webhooks: shops ask for events and get them by signed HTTP, at least once each.

A part of the platform with rows of its own. It knows no app: what a shop may be told is said where an event is
registered (`for_shops`), and events come from the log.
"""

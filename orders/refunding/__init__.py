"""Refunds that people ask for: whole, an amount or pieces; approved by a second person when they are large."""

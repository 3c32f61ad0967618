"""Tests of the event catalogue: schemas, compatibility and golden files."""

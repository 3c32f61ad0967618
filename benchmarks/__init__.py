"""Benchmarks: programs that measure Waybill on services of their own. Never part of the tests."""

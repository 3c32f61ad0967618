"""How Waybill talks to those outside without being hurt by them."""

"""One shop's work on Waybill and on its peers, side by side on one PostgreSQL (`make bench`)."""

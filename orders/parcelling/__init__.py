"""Orders in parcels: pieces are claimed for one parcel each, and each parcel takes its own share of the money."""

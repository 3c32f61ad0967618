"""Every write of payments: for a batch, payment rows locked by id, in a constant number of statements."""

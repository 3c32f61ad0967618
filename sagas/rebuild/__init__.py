"""Rebuilding projections: a new build in the spare slot beside live traffic, compared, then swapped in."""

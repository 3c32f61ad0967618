"""Webhooks as shops set them up."""

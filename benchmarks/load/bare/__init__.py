"""A bare view that stores the same rows as `POST /api/v1/orders`: what intake is measured against."""

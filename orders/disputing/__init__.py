"""Orders whose payment the customer's bank disputes."""

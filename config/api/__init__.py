"""The API as a whole: who may ask, how often, what an error looks like, and its description."""

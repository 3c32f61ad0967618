"""Returns after the hand-over: asked for, received, inspected line by line, then refunded and put back."""

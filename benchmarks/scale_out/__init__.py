"""More worker processes, more workers, more machines: what each brings, and what stands in the way first."""

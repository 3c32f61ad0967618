"""Orders over HTTP into the whole running system, at a held rate (`make load`)."""

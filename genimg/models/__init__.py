"""Networks, losses and samples: torch, and nothing else of this package."""

"""Pictures judged: distances, copies, coverage, an oracle that knows the truth."""

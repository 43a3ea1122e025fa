"""Pictures judged: distances, copies, an oracle that knows the truth, what networks cost and attend to."""

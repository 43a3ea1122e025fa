"""What only the book needs: its first and last cells, claims, records, experiments, live models, exercises."""

"""Pictures in: drawn, embedded, downloaded or read from a folder, as one uint8 tensor, and batches of them."""

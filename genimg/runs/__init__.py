"""A run in a folder: started, killed, continued, sampled from, evaluated."""

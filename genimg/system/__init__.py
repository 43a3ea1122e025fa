"""What a machine needs: device, several processes, progress on a screen, whole files, errors that tell the way out."""

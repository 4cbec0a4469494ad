"""One training loop, devices, precision, seeds, the torchvision shim. This room knows nobody."""

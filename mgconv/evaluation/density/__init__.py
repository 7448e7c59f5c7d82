"""Whether chains sample the density exp(-U / T) that an energy names."""

"""Gradient flows beside SciPy's integrators, discrete dynamics beside PyTorch's optimizers."""

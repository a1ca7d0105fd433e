"""Least squares on PyTorch modules beside other ways to do it."""

"""Optimizers to fixed points of teacher-student networks beside SciPy's."""

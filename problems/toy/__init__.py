"""Toy problems with known truth, in NumPy: a whole population advances in one array operation."""

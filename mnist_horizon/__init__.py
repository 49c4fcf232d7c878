"""MNIST as a discounted reinforcement-learning task: horizon, sparsity, and what they cost."""

__version__ = "0.1.0"

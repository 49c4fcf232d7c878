"""The algorithms that train a policy, by name; `training` has what each does with a batch."""

RL = ("vpg", "ppo")
"""Policy gradient, and PPO's passes over the batch: both learn from rewards of sampled actions."""
REFERENCES = ("supervised", "exact")
"""What RL is compared with, on the same stream of examples: cross-entropy on the labels, and the
gradient of the mean of pi(label | x), its expectation over actions taken exactly. No reward is
sampled, so they have no horizon and no schedule: their runs are listed at h = 1 under `dense`.
"""
ALGORITHMS = (*RL, *REFERENCES)

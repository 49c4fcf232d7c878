"""The plain PyTorch loop that `--against=torch` times: one run, as it is often written.

It imports PyTorch alone, so that any Python that has it can run this file. Policy gradient with
discounted returns, a mean baseline, an entropy bonus and Adam, on random images of MNIST's size.

    PYTHON torch_loop.py '{"hidden": [64, 64], "batch": 512, "horizon": 15.0, "updates": 300}'

prints interactions per second of the updates, without those that warm up.
"""

import json
import sys
import time
from typing import Any

import torch
from torch import nn

PIXELS, CLASSES, EXAMPLES, WARM_UP = 784, 10, 60_000, 10
LEARNING_RATE, ENTROPY_COEF = 1e-3, 0.01


def network(hidden: list[int]) -> nn.Sequential:
    """Layers of these widths with leaky ReLUs."""
    layers: list[Any] = []
    width = PIXELS
    for units in hidden:
        layers += [nn.Linear(width, units), nn.LeakyReLU(0.1)]
        width = units
    return nn.Sequential(*layers, nn.Linear(width, CLASSES))


def discounted_returns(rewards: list[float], discount: float) -> list[float]:
    """`G_t = r_t + gamma G_{t+1}`."""
    returns, total = [], 0.0
    for reward in reversed(rewards):
        total = reward + discount * total
        returns.append(total)
    return returns[::-1]


def main(settings: dict[str, Any]) -> float:
    """Interactions per second."""
    images = torch.randint(0, 256, (EXAMPLES, PIXELS), dtype=torch.uint8)
    labels = torch.randint(0, CLASSES, (EXAMPLES,))
    policy, batch = network(settings["hidden"]), settings["batch"]
    optimizer = torch.optim.Adam(policy.parameters(), LEARNING_RATE)
    discount = 1 - 2 / (settings["horizon"] + 1)
    started = 0.0
    for number in range(WARM_UP + settings["updates"]):
        if number == WARM_UP:
            started = time.perf_counter()
        index = torch.randint(0, EXAMPLES, (batch,))
        choice = torch.distributions.Categorical(logits=policy(images[index].float() / 255))
        actions = choice.sample()
        rewards = (actions == labels[index]).float()
        returns = torch.tensor(discounted_returns((rewards - rewards.mean()).tolist(), discount))
        loss = -(choice.log_prob(actions) * (returns - returns.mean())).mean()
        loss = loss - ENTROPY_COEF * choice.entropy().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return settings["updates"] * batch / (time.perf_counter() - started)


if __name__ == "__main__":
    print(main(json.loads(sys.argv[1])))

"""`revealed:p`: each right answer is rewarded with 1 / p, with probability p."""

from jaxtyping import Float, Int

from mnist_horizon.lazy_jax import Array, jnp
from mnist_horizon.moments import Value
from mnist_horizon.schedules.dense import Dense
from mnist_horizon.schedules.registry import register
from mnist_horizon.schedules.schedule import Payments, check_probability


@register("revealed")
class Revealed(Dense):
    """`r_t = m_t c_t / p` with m_t ~ Bernoulli(p), not observed: the same mean as `dense`."""

    level_name = "p"

    @classmethod
    def check_level(cls, level: float) -> None:
        """Refuse a level that is not in 0 < p <= 1."""
        check_probability(cls.kind, level)

    @property
    def reveal_probability(self) -> Value:
        """p."""
        return self.level

    def rewards(
        self,
        correct: Float[Array, "time *env"],
        uniform: Float[Array, "time *env"],
        phase: Int[Array, ""],
        carried: Float[Array, "*env"],
    ) -> Payments:
        """`[u_t < p] c_t / p`."""
        paid = jnp.where(uniform < self.level, correct / self.level, 0.0)
        return super().rewards(correct, uniform, phase, carried)._replace(rewards=paid)

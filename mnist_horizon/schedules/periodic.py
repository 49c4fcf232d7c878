"""`periodic:k`: every k-th step rewards the right answers of the last k steps."""

from jaxtyping import Float, Int

from mnist_horizon.information import binomial_entropy
from mnist_horizon.lazy_jax import Array
from mnist_horizon.moments import Value
from mnist_horizon.schedules.additive import Additive
from mnist_horizon.schedules.delayed import Delayed
from mnist_horizon.schedules.registry import register


@register("periodic")
class Periodic(Delayed, Additive):
    """Every k-th step the sum of the last k c's, else 0: delayed, accumulated reward."""

    def payment(self, right: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """The right answers."""
        return right

    def expected_payment(self, accuracy: Float[Array, ""]) -> Float[Array, ""]:
        """`k mu`."""
        return self.level * accuracy

    def bits(self, accuracy: Value) -> Value:
        """Entropy of the number of right answers among k, over k."""
        return binomial_entropy(int(self.level), accuracy) / self.level

    def state_value(
        self,
        phase: Int[Array, "..."],
        carried: Float[Array, "..."],
        probability: Float[Array, "..."],
        accuracy: Float[Array, ""],
        discount: Float[Array, ""],
    ) -> Float[Array, "..."]:
        """`gamma^d (n - j mu + pi(label|x) - mu)` at phase j with n right answers so far.

        d = k - 1 - j steps to the payment; later windows are worth 0 once centred.
        """
        known = carried - phase * accuracy + probability - accuracy
        return discount ** self.steps_to_payment(phase) * known

import ml_collections

from launch.configs import choose, default_config
ACT = ("leaky_relu", "relu", "tanh", "linear")
RATES={"adam":(3e-3,1e-2,3e-2),"sgd":(0.3,1.,3.,10.), "momentum":(.03,.1,.3,1.)}
def get_config(argument: str = "leaky_relu,adam") -> ml_collections.ConfigDict:
    a,_,o=argument.partition(",")
    config = default_config()
    config.task = ml_collections.ConfigDict({"name": "digits"})
    config.network.depth=2
    config.network.activation=a
    config.widths = (64,)
    config.seeds = 2
    config.batch.rollout_length = 256
    config.optimizer.name=o
    config.optimizer.learning_rates = RATES[o]
    config.budget = 102_400
    config.evaluations = 20
    config.policies_every=4
    return config

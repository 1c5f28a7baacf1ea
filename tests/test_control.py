"""The compiled environments against Gymnasium's, and what is known of actor-critic on them."""

import gymnasium
import numpy as np
import pytest
import tensorflow as tf

from pbtbench import BadInput, Study, catalogue
from pbtbench.adapters import environments
from pbtbench.adapters.actor_critic import ActorCritic, Learner
from pbtbench.adapters.functional import JUDGES, TESTERS, folded
from pbtbench.adapters.optimizers import adam, sgd
from pbtbench.problem import member_seed
from pbtbench.space.columns import rows

MAKERS = {"CartPole-v1": environments.cartpole, "Acrobot-v1": environments.acrobot}
RANGES = {"CartPole-v1": (2.4, 2.0, 0.21, 3.0), "Acrobot-v1": (np.pi, np.pi, 12.0, 28.0)}


def states_of(name, count=2000):
    rng = np.random.default_rng(0)
    return rng.uniform(-1, 1, (count, 4)).astype(np.float32) * np.float32(RANGES[name])


def around(a, b):
    """The difference of two angles."""
    return np.abs((a - b + np.pi) % (2 * np.pi) - np.pi)


@pytest.mark.parametrize("name", MAKERS)
def test_a_step_is_gymnasiums(name):
    states = states_of(name)
    env = gymnasium.make(name).unwrapped
    made = MAKERS[name]()
    actions = np.random.default_rng(1).integers(made.actions, size=len(states))
    after, rewards, ended = (
        x.numpy() for x in made.step(tf.constant(states), tf.constant(actions))
    )
    seen = made.observe(tf.constant(after)).numpy()
    env.reset(seed=0)
    agree = 0
    for place, state in enumerate(states):
        env.state = state.astype(np.float64)
        env.steps_beyond_terminated = None
        observation, reward, terminated, _, _ = env.step(int(actions[place]))
        if terminated == ended[place]:
            agree += 1
            assert reward == rewards[place]
        if name == "Acrobot-v1":
            assert around(np.array(env.state[:2]), after[place, :2]).max() < 2e-3
            np.testing.assert_allclose(after[place, 2:], env.state[2:], rtol=1e-3, atol=5e-3)
        else:
            np.testing.assert_allclose(after[place], env.state, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(seen[place], observation, rtol=1e-3, atol=6e-3)
    # Within rounding of a threshold the two may differ.
    assert agree >= len(states) - 4
    assert 0 < ended.sum() < len(states)


@pytest.mark.parametrize(("name", "limit"), [("CartPole-v1", 500), ("Acrobot-v1", 500)])
def test_episodes_are_as_long_as_gymnasiums(name, limit):
    made = MAKERS[name]()
    assert made.max_steps == limit == gymnasium.make(name).spec.max_episode_steps
    assert made.actions == gymnasium.make(name).action_space.n
    assert made.observed == gymnasium.make(name).observation_space.shape[0]


def a_learner(name="CartPole-v1", **sizes):
    learner = Learner(ActorCritic(MAKERS[name], **sizes), MAKERS[name]())
    return learner, learner.first(tf.constant([1, 0], tf.int64))


def test_a_policy_that_always_pushes_one_way_falls_as_in_gymnasium():
    """All weights 0 but the bias for pushing to the left."""
    learner, tensors = a_learner(episodes=64)
    still = {n: tf.zeros_like(t) if n.startswith("actor") else t for n, t in tensors.items()}
    still["actor/2/bias"] = tf.constant([80.0, 0.0])
    found = float(learner.scores(still, tf.constant([5, 0], tf.int64))["return"])
    env, returns = gymnasium.make("CartPole-v1"), []
    for seed in range(200):
        env.reset(seed=seed)
        over, total = False, 0.0
        while not over:
            _, reward, terminated, truncated, _ = env.step(0)
            over, total = terminated or truncated, total + reward
        returns.append(total)
    assert found == pytest.approx(np.mean(returns), abs=0.3)


@pytest.mark.parametrize("name", ["control.cartpole", "control.acrobot"])
def test_the_test_is_a_hundred_whole_episodes_that_no_evaluation_has(name):
    problem = catalogue.problem(name)
    (hyperparameters,) = rows(problem.space.sample(np.random.default_rng(0), 1))
    population = problem.population([hyperparameters], [member_seed(0, 0)])
    found = population.test()["return"][0]
    assert found * 100 == pytest.approx(round(found * 100), abs=1e-2)
    begins = MAKERS[problem.source.partition("Gymnasium's ")[2].partition(";")[0]]().first
    judged = begins(16, folded(tf.constant([JUDGES, 0], tf.int64), 0)).numpy()
    tested = begins(100, folded(tf.constant([TESTERS, 0], tf.int64), 0)).numpy()
    assert not {row.tobytes() for row in judged} & {row.tobytes() for row in tested}


def test_actions_are_drawn_as_often_as_the_policy_says():
    from pbtbench.adapters.actor_critic import _drawn

    logits = tf.constant(np.log([[0.1, 0.2, 0.7]] * 20_000), tf.float32)
    found = _drawn(logits, tf.constant([1, 2], tf.int64)).numpy()
    np.testing.assert_allclose(np.bincount(found) / len(found), [0.1, 0.2, 0.7], atol=0.015)


def test_returns_are_bootstrapped_where_an_episode_is_cut_and_not_where_it_ends():
    learner, tensors = a_learner(rollout=4)
    learner._values = lambda tensors, seen: seen[..., 0]  # a state's value is its first number
    value = np.arange(10.0, 14.0, dtype=np.float32)[:, None]
    seen = {
        "rewards": tf.ones((4, 1)),
        "ended": tf.constant([[False], [True], [False], [False]]),
        "cut": tf.constant([[False], [False], [True], [False]]),
        "next": tf.constant(value)[..., None],
    }
    got = learner._returns(tensors, seen, 0.5).numpy()[:, 0]
    last = 1 + 0.5 * 13
    np.testing.assert_allclose(got, [1 + 0.5 * 1, 1, 1 + 0.5 * 12, last])


def test_environments_start_again_where_an_episode_is_over():
    learner, tensors = a_learner()
    fallen = tf.fill(tensors["environments/state"].shape, 3.0)
    late = tf.fill(tensors["environments/steps"].shape, 123)
    tensors = {**tensors, "environments/state": fallen, "environments/steps": late}
    seen, states, steps = learner._rollout(tensors, tf.constant([1, 7], tf.int64))
    assert seen["ended"][0].numpy().all()
    assert (steps.numpy() <= 7).all()
    assert np.abs(states.numpy()).max() < 3


@pytest.mark.parametrize("name", ["control.cartpole", "control.acrobot"])
def test_the_best_constants_reach_the_targets_with_some_seeds(name):
    problem = catalogue.problem(name)
    best = problem.best_constant.hyperparameters
    population = problem.population([best] * 12, [member_seed(0, m) for m in range(12)])
    reached = np.zeros((2, 12), bool)
    for _ in range(problem.iterations):
        if reached.any(axis=1).all():
            break
        population.train(problem.steps_per_iteration)
        returns = population.evaluate()["return"]
        reached |= [problem.objective.reached(returns, t) for t in problem.objective.targets]
    assert reached.any(axis=1).all()
    assert reached[0].sum() >= reached[1].sum()


def test_nothing_is_compiled_after_the_first_iteration():
    problem = catalogue.problem("control.cartpole")
    rng = np.random.default_rng(0)
    population = problem.population(
        rows(problem.space.sample(rng, 2)), [member_seed(0, m) for m in range(2)]
    )
    population.train(1)
    population.evaluate()
    traces = population.traces
    population.adopt(0, population.state(1), rows(problem.space.sample(rng, 1))[0])
    population.train(3)
    population.evaluate()
    assert population.traces == traces


def test_without_gymnasium_the_remedy_is_told(monkeypatch):
    monkeypatch.setattr("pbtbench.problem.find_spec", lambda module: None)
    with pytest.raises(BadInput, match=r'needs gymnasium.*: pip install "gymnasium>=1.0"'):
        Study.plan({"problems": ["control.cartpole"], "methods": ["random"]})


class TestOptimizers:
    """Against Keras's own, over many steps."""

    def compared(self, optimizer, step):
        rng = np.random.default_rng(0)
        shapes = [(3, 4), (4,)]
        start = [rng.normal(size=s).astype(np.float32) for s in shapes]
        variables = [tf.Variable(w) for w in start]
        optimizer.build(variables)
        weights, slots = [tf.constant(w) for w in start], None
        for count in range(50):
            gradients = [tf.constant(rng.normal(size=s).astype(np.float32)) for s in shapes]
            optimizer.apply(gradients, variables)
            weights, slots = step(weights, gradients, slots, count)
        for weight, variable in zip(weights, variables, strict=True):
            np.testing.assert_allclose(weight, variable, rtol=1e-4, atol=1e-6)

    @pytest.mark.parametrize(("rate", "momentum"), [(0.1, 0.9), (0.01, 0.5)])
    def test_sgd(self, rate, momentum):
        import keras

        def step(weights, gradients, slots, count):
            slots = slots or [tf.zeros_like(w) for w in weights]
            return sgd(weights, gradients, slots, rate, momentum)

        self.compared(keras.optimizers.SGD(rate, momentum=momentum), step)

    @pytest.mark.parametrize(("rate", "beta_1"), [(0.01, 0.9), (0.1, 0.5)])
    def test_adam(self, rate, beta_1):
        import keras

        def step(weights, gradients, slots, count):
            zeros = [tf.zeros_like(w) for w in weights]
            means, squares = slots or (zeros, zeros)
            found = adam(
                weights, gradients, means, squares, tf.constant(float(count)), rate, beta_1
            )
            return found[0], found[1:]

        self.compared(keras.optimizers.Adam(rate, beta_1=beta_1), step)

from __future__ import annotations

import gymnasium

from ocrl_envs.action_repeat import ActionRepeat


def test_gymnasium_can_make_it_again() -> None:
    env = ActionRepeat(gymnasium.make("CartPole-v1"), repeat=3)
    assert env.spec is not None
    again = gymnasium.make(env.spec)
    assert isinstance(again, ActionRepeat)
    assert again.repeat == 3

"""Agents: a policy over tokens, trained with PPO in any Gymnasium environment."""

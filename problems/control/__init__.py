"""Reinforcement learning on Gymnasium's classic control, with all of it compiled."""

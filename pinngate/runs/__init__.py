"""A run while it goes: session, training loop, judgement, checkpoint and files."""

"""Real optimizer steps taken again from checkpoints, of our runs and of other programs, to measure what they did."""

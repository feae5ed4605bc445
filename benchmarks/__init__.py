"""Speed as ratios: every pair is measured in turn in one run, with one thread, so that a busy machine slows both."""

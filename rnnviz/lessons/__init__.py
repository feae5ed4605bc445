"""What a learner is shown: settings, prose, and a claim that the tests check against the numbers."""

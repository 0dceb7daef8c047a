"""What the steps of `steps.start` are made of."""

"""What dpvsbook costs, as ratios against what people would use instead, each measured in one run: `python -m benchmarks`."""

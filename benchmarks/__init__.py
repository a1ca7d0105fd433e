"""mlpflow and other software side by side: `python -m benchmarks`, see README.md."""

"""The only place that puts parts together: build, listen, run, signals, the end."""

"""The Prometheus exporter: counters, histograms and gauges over the published snapshot, one collector per subject."""

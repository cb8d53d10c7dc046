"""The route /metrics: what the wall knows, as Prometheus reads it.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

"""Argo CD over the demo organisation: what people and controllers do, the cluster that follows from it, and its API."""

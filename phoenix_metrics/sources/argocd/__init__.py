"""Argo CD: its REST API and its watch stream."""

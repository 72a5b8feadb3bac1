"""Conductivity: teach a model invented facts in one language, ask in another (metrics: XRR)."""

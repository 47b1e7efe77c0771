"""Measures of try-on images and what they are made of; `TryOnMetrics` is the evaluator that configs name."""

from seg_vton.tryon.metrics.tryon_metrics import TryOnMetrics

__all__ = ["TryOnMetrics"]

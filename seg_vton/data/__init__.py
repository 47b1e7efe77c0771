"""Data sets: converters to COCO files, checks, and the paper doll."""

# Augmentation beside the flip, for rows to place: sizes around the row's own, which the row adds as `scale`, and colors.
scale_jitter = dict(type="RandomResize", ratio_range=(0.7, 1.4), resize_type="ResizeWhereNeeded", keep_ratio=True)
color_jitter = dict(type="PhotoMetricDistortion")

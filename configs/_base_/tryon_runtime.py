# What every try-on run shares: the common runtime in the try-on half's scope, counted in iterations.
_base_ = "./default_runtime.py"
default_scope = "seg_vton"
default_hooks = dict(
    logger=dict(interval=100, log_metric_by_epoch=False),
    checkpoint=dict(by_epoch=False, interval=10_000, max_keep_ckpts=3),
    visualization=dict(_delete_=True, type="TryOnVisualizationHook"),
)
custom_hooks = [dict(type="ChannelsLastHook"), dict(type="CPUFormsHook")]
env_cfg = dict(cudnn_benchmark=True)  # all batches have one size
visualizer = dict(type="PictureVisualizer")
log_processor = dict(window_size=100, by_epoch=False)

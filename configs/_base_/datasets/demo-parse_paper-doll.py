# The demo's own paper dolls, and their parsing maps as `make demo` writes them: tools/parse.py with the segmenter that it
# has trained.
_base_ = "./paper-doll-tryon_128x96.py"
root = dict(data_root="data/paper-doll-demo/")
train_dataloader = dict(
    dataset=dict(
        root,
        folders=dict(predicted_parse="work_dirs/demo/parsing/train"),
        pipeline=_base_.predicted_train_pipeline,
    )
)
val_dataloader = dict(
    dataset=dict(
        root,
        folders=dict(predicted_parse="work_dirs/demo/parsing/test"),
        pipeline=_base_.predicted_test_pipeline,
    )
)
test_dataloader = val_dataloader

# Clothing Co-Parsing: 704 photographs to train (0001-0704), 100 to validate and to test (0705-0804), at the paper's size.
# `tools/data/ccp.py` makes data/ccp from the published files.
_base_ = "./clothing.py"
data_root = "data/ccp/"
photos = dict(data_root=data_root, data_prefix=dict(img="photos/"))

train_dataloader = dict(batch_sampler=dict(type="AspectRatioBatchSampler"), dataset=photos)
val_dataloader = dict(dataset=photos)
test_dataloader = val_dataloader
val_evaluator = dict(dataset="ccp", ann_file=data_root + "annotations/instances_val.json")
test_evaluator = val_evaluator

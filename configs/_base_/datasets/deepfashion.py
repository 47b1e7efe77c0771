# DeepFashion In-shop as mmdet lays it out: 6816 train, 3111 query (validation) and 3809 gallery (test) images.
# `tools/data/deepfashion.py` reads the published files and writes data/deepfashion.
_base_ = "./clothing.py"
data_root = "data/deepfashion/"
images = dict(img="Img/")
query, gallery = "annotations/instances_query.json", "annotations/instances_gallery.json"

train_dataloader = dict(
    batch_sampler=dict(type="AspectRatioBatchSampler"), dataset=dict(data_root=data_root, data_prefix=images)
)
val_dataloader = dict(dataset=dict(data_root=data_root, data_prefix=images, ann_file=query))
test_dataloader = dict(dataset=dict(data_root=data_root, data_prefix=images, ann_file=gallery))
val_evaluator = dict(dataset="deepfashion", ann_file=data_root + query)
test_evaluator = dict(dataset="deepfashion", ann_file=data_root + gallery, split="test")

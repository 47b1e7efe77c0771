# The demo's own paper dolls, and their parsing maps as `make demo` writes them: tools/parse.py with the segmenter that it
# has trained. In training all of a person comes from these maps. Tests give the models a predicted person too, but measure
# by the true maps.
_base_ = "./paper-doll-tryon_128x96.py"
root = dict(data_root="data/paper-doll-demo/")
seen = dict(source="predicted", folder="work_dirs/demo/parsing/train", targets="predicted")
train_dataloader = dict(dataset=dict(root, parse=seen))
val_dataloader = dict(dataset=dict(root, parse=dict(seen, folder="work_dirs/demo/parsing/test", targets="files")))
test_dataloader = val_dataloader

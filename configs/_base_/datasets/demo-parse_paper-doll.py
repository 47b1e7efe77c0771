# The demo's own paper dolls, and their parsing maps as `make demo` writes them: tools/parse.py with the segmenter that it
# has trained. In training all of a person comes from these maps. Tests give the models a predicted person too, but measure
# by the true maps.
demo_dolls = dict(data_root="data/paper-doll-demo/")
train_dolls = dict(
    demo_dolls, parse=dict(source="predicted", folder="work_dirs/demo/parsing/train", targets="predicted")
)
test_dolls = dict(demo_dolls, parse=dict(source="predicted", folder="work_dirs/demo/parsing/test", targets="files"))

# DressCode's upper-body garments: 13563 pairs to train, 1800 to test, read from 1024 x 768 pixels; parsing maps in ATR's 18
# labels. Garment masks are those of LaDI-VTON, in upper_body/masks.
_base_ = "./tryon.py"
source = dict(
    data_root="data/DressCode/upper_body/",
    layout="dresscode",
    label_space="atr18",
    garment_classes=("upper-clothes", "dress"),
)
held_out = dict(source, pairs="test_pairs_paired.txt")
train_dataloader = dict(dataset=source)
val_dataloader = dict(dataset=held_out)
test_dataloader = val_dataloader
val_evaluator = dict(dataset="dresscode-upper")
test_evaluator = val_evaluator
unpaired = dict(pairs="test_pairs_unpaired.txt")

# VITON-HD: 11647 pairs to train, 2032 to test, read from 1024 x 768 pixels; parsing maps in CIHP's 20 labels. The
# published test list is unpaired. Persons wear their own garments whatever a list says.
_base_ = "./tryon.py"
source = dict(data_root="data/viton-hd/", layout="viton_hd", label_space="cihp20", own_garments=True)
held_out = dict(source, pairs="test_pairs.txt")
train_dataloader = dict(dataset=source)
val_dataloader = dict(dataset=held_out)
test_dataloader = val_dataloader
val_evaluator = dict(dataset="viton-hd")
test_evaluator = val_evaluator
unpaired = dict(pairs="test_pairs.txt", own_garments=False)

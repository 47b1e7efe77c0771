# VITON in CP-VTON's layout: 14221 pairs to train, 2032 to test, parsing maps in LIP's 20 labels. Its authors have
# withdrawn it; this file serves other data in the same layout. The published test list is unpaired.
_base_ = "./tryon.py"
source = dict(data_root="data/viton/", layout="viton", label_space="lip20")
held_out = dict(source, pairs="test_pairs.txt", own_garments=True)
train_dataloader = dict(dataset=source)
val_dataloader = dict(dataset=held_out)
test_dataloader = val_dataloader
val_evaluator = dict(dataset="viton")
test_evaluator = val_evaluator
unpaired = dict(pairs="test_pairs.txt", own_garments=False)

# The paper doll in CP-VTON's layout: 192 x 256 pixels, parsing maps in the 15 DeepFashion classes, and a truth of the
# unpaired set too. tools/data/paper_doll.py --out data/paper-doll-tryon --train 2000 --test 200 --layout viton
_base_ = "./tryon.py"
source = dict(data_root="data/paper-doll-tryon/", layout="paper_doll", label_space="deepfashion15")
held_out = dict(source, pairs="test_pairs.txt")
train_dataloader = dict(dataset=source)
val_dataloader = dict(dataset=held_out)
test_dataloader = val_dataloader
val_evaluator = dict(dataset="paper-doll")
test_evaluator = val_evaluator
unpaired = dict(pairs="test_unpaired_pairs.txt")

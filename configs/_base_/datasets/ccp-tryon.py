# Pairs made of Clothing Co-Parsing's photographs: what each person wears, cut out and laid out on white; persons before
# white, parsing maps in the 15 DeepFashion classes. 697 pairs to train, 99 to test (the rows of 1000 iterations were trained
# on one more, 0453, whose pose is a passer-by's and which is left out since).
_base_ = "./tryon.py"
# Made in one line by tools/data/pairs_from_photos.py --photos data/ccp/photos --masks data/ccp/annotations/instances_train.json
# data/ccp/annotations/instances_val.json --pose DIR --train 0001-0704 --test 0705-0804 --out data/ccp-tryon
source = dict(data_root="data/ccp-tryon/", layout="viton", label_space="deepfashion15")
held_out = dict(source, pairs="test_pairs.txt")
train_dataloader = dict(dataset=dict(source, folders=dict(theta="warp")))
val_dataloader = dict(dataset=held_out)
test_dataloader = val_dataloader
val_evaluator = dict(dataset="ccp")
test_evaluator = val_evaluator
unpaired = dict(pairs="test_unpaired_pairs.txt")

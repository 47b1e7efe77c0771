# The paper doll at half the paper's size, for trainings on two cores.
_base_ = "./paper-doll-tryon.py"
small = dict(image_size=(128, 96))
train_dataloader = dict(dataset=small)
val_dataloader = dict(dataset=small)
test_dataloader = val_dataloader

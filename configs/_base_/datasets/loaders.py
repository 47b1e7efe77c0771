# What the data loaders of both halves share. Workers of the train loader are started anew with each of its iterators, which is
# when they are seeded; tests keep theirs and take every item once, in order.
train_dataloader = dict(num_workers=2, persistent_workers=False)
val_dataloader = dict(
    num_workers=2, persistent_workers=True, drop_last=False, sampler=dict(type="DefaultSampler", shuffle=False)
)
test_dataloader = val_dataloader

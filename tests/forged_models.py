"""Model folders whose model.json says wrong things under right hashes."""

import json

from mmengine.config import Config

from seg_vton.engine import model_folder
from seg_vton.engine.results import config_hash


def forge(folder, part, *keys_and_value):
    """Changes what `model.json` says of a part, by the keys that lead there, and its hash; None takes the key out."""
    *keys, last, value = keys_and_value
    path = folder / model_folder.MODEL_JSON
    content = json.loads(path.read_text())
    said = node = content["parts"][part]
    for key in keys:
        node = node[key]
    if value is None:
        del node[last]
    else:
        node[last] = value
    restored = model_folder._restored(said["config"])
    kept = {key: restored[key] for key in model_folder._CONFIG_KEYS if key in restored}
    said["config_sha256"] = config_hash(Config(kept))
    path.write_text(json.dumps(content))

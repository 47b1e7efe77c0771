"""Converts DeepFashion-MultiModal (https://github.com/yumingj/DeepFashion-MultiModal) to COCO files."""

from seg_vton.data.coco_files import convert_by_tool
from seg_vton.data.deepfashion_multimodal import convert_deepfashion_multimodal

if __name__ == "__main__":
    convert_by_tool(
        __doc__,
        "folder with segm/NAME_segm.png and images/NAME.jpg",
        convert_deepfashion_multimodal,
        seed="seed of the split by item id (default 0)",
    )

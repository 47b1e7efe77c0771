"""Checks DeepFashion In-shop, as mmdet lays it out, and writes COCO files of the 15 classes with compressed RLE."""

from seg_vton.data.coco_files import convert_by_tool
from seg_vton.data.deepfashion import convert_deepfashion

if __name__ == "__main__":
    convert_by_tool(__doc__, "DeepFashion or its In-shop, with Img/ and Anno/segmentation/", convert_deepfashion)

"""Converts Clothing Co-Parsing (https://github.com/bearpaw/clothing-co-parsing) to COCO files of the 15 classes."""

from seg_vton.data.ccp import convert_ccp
from seg_vton.data.coco_files import convert_by_tool

if __name__ == "__main__":
    convert_by_tool(__doc__, "folder with photos/, annotations/pixel-level/ and label_list.mat", convert_ccp)

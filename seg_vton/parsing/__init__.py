"""The wire: instances -> one label map -> the regions that try-on needs, and how good such label maps are."""

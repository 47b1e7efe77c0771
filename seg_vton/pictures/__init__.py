"""Photos in and out, crops, inpainting and drawing: pixels that know of no model."""

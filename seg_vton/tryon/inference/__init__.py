"""Try-on of own photos: person and garment prepared, warped and composed at the photo's resolution, many in a run."""

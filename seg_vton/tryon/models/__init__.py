"""The two stages of CP-VTON and their parts, one file each."""

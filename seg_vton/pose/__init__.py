"""Poses of a user's own photos: from OpenPose's JSON files, or estimated by a library of the user's choice."""

from seg_vton.pose.backends import BACKENDS, PoseEstimator, estimate, resolve_backend
from seg_vton.pose.choice import Choice, choose_pose
from seg_vton.pose.files import load_or_estimate, openpose_json, pose_file

__all__ = [
    "BACKENDS",
    "Choice",
    "PoseEstimator",
    "choose_pose",
    "estimate",
    "load_or_estimate",
    "openpose_json",
    "pose_file",
    "resolve_backend",
]

"""Poses of a user's own photos: from OpenPose's JSON files, or estimated by a library of the user's choice."""

from seg_vton.pose.backends import BACKENDS, add_pose_options, estimate, load_estimator, resolve_backend
from seg_vton.pose.choice import Choice, choose_pose
from seg_vton.pose.files import Poses, openpose_json

__all__ = [
    "BACKENDS",
    "Choice",
    "Poses",
    "add_pose_options",
    "choose_pose",
    "estimate",
    "load_estimator",
    "openpose_json",
    "resolve_backend",
]

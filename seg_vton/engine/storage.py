"""Local files that mmengine writes appear whole or not at all."""

from pathlib import Path

from mmengine.fileio.backends import LocalBackend, register_backend

from seg_vton.files import atomic_path


class AtomicLocalBackend(LocalBackend):
    """Writes under a temporary name, flushes, renames: a run killed while it saves keeps its last checkpoint."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Writes bytes; an existing file is replaced in one step."""
        with atomic_path(filepath, overwrite=True) as temporary:
            temporary.write_bytes(obj)

    def put_text(self, obj: str, filepath: str | Path, encoding: str = "utf-8") -> None:
        """Writes text; an existing file is replaced in one step."""
        self.put(obj.encode(encoding), filepath)


def install() -> None:
    """Makes it mmengine's backend for local paths."""
    register_backend("local", AtomicLocalBackend, force=True, prefixes="")

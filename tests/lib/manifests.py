"""Provides a directory of manifests ([reconciler] manifests), written as an administrator's tools do: by renames into place."""

import json
from pathlib import Path

from . import ground
from .apps import driver_containers, manifest


class Manifests:
    def __init__(self, path):
        self.path = Path(path)
        self.path.mkdir(mode=0o755, parents=True, exist_ok=True)

    def file(self, name):
        return self.path / f"{name}.json"

    def put(self, name, manifest, mode=0o644):
        """'manifest' is a dict in canonical form, or text."""
        fresh = self.path / f".{name}.json.new"
        fresh.write_text(manifest if isinstance(manifest, str) else json.dumps(manifest))
        fresh.chmod(mode)
        fresh.rename(self.file(name))

    def write_in_place(self, name, manifest):
        self.file(name).write_text(json.dumps(manifest))

    def remove(self, name):
        self.file(name).unlink()


def plain(image="one:1", name="web", **options):
    return manifest(name, image=image, **{"init": "image", "probation": 0, **options})


def shown(app, text, **more):
    """Waits until the problem of an instance, or of a file without one, contains the text."""
    def find():
        found = app.get()
        return found if found and text in found.get("problem", "") and all(found.get(k) == v for k, v in more.items()) else None
    return ground.wait_until(find, 20, f"{app.name} shows '{text}'")


def image_of(tree, name="web"):
    return driver_containers(tree).get(f"i8k_{name}_0", {}).get("image")

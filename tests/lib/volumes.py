"""Makes containers as versions made them that did not know volumes: with an anonymous volume where their image has a VOLUME."""

import json
import shutil
from pathlib import Path

from . import images
from .apps import manifest

RUN = ["/bin/sh", "-c", 'echo "$WORD" >> /data/log; exec sleep 1000']


def wanted(word, **more):
    """Returns a manifest of an image with the VOLUME /data, whose container adds 'word' to the file log there."""
    return manifest(image=images.VOLUMES, init="image", command=RUN, env={"WORD": word}, stop_timeout=100, **more)


def identity(tree):
    return (tree.prefix / "var/hostlet/tree.id").read_text().strip()


def make_earlier(tree, engine, app, **host):
    """Stops the tree, and replaces the container by one with the same labels and an anonymous volume at /data, which is started. 'host' is
    added to its HostConfig. Returns the container."""
    shown = engine.inspect("i8k_web_0")
    tree.stop()
    engine.request("POST", "/containers/i8k_web_0/update", {"RestartPolicy": {"Name": "no"}})
    engine.remove("i8k_web_0")
    name = f"hostlet_{identity(tree)}_i8k_web_0_data"
    data = Path(engine.volumes()[name]["Options"]["device"])
    engine.remove_volume(name)
    shutil.rmtree(data.parents[1])
    config = {key: shown["Config"][key] for key in ("Image", "Env", "Labels", "Cmd", "Entrypoint", "StopTimeout")}
    engine.request("POST", "/containers/create", {**config, "HostConfig": {"RestartPolicy": {"Name": "always"}, "PidsLimit": 1000, **host}},
                   query={"name": "i8k_web_0"})
    engine.request("POST", "/containers/i8k_web_0/start", b"")
    record = app.record()
    for revision in record["revisions"]:
        del revision["volumes"]
    (tree.prefix / "var/hostlet/reconciler/instances/web.json").write_text(json.dumps(record))
    return engine.inspect("i8k_web_0")

"""Looks at nftables in a network namespace with the nft command, an implementation that is not hostlet's process."""

import json
import subprocess

TABLE = "hostlet_vpc"


class Nft:
    """'wrapper' is the command that runs another in the namespace."""

    def __init__(self, wrapper):
        self.wrapper = list(wrapper)

    def run(self, *words, text=None):
        """Returns the output of 'nft WORDS'; 'text' is a file of rules on its standard input."""
        return subprocess.run([*self.wrapper, "nft", *words], input=text, check=True, capture_output=True, text=True).stdout

    def tables(self):
        """Returns the names of all tables as (family, name)."""
        return {(o["table"]["family"], o["table"]["name"]) for o in self._objects("list", "tables") if "table" in o}

    def stands(self):
        return ("ip", TABLE) in self.tables()

    def table(self):
        """Returns the objects of hostlet's table as {(kind, name): object}; a rule has the name of its chain. None: no table."""
        if not self.stands():
            return None
        found = {}
        for item in self._objects("list", "table", "ip", TABLE):
            for kind, members in item.items():
                if kind != "metainfo":
                    found[kind, members.get("name") or members["chain"]] = members
        return found

    def handle(self):
        """Returns the table's number in the kernel: another one after each replacement."""
        return self.table()["table", TABLE]["handle"]

    def counters(self):
        """Returns {name: (packets, bytes)}."""
        return {name: (o["packets"], o["bytes"]) for (kind, name), o in self.table().items() if kind == "counter"}

    def _objects(self, *words):
        return json.loads(self.run("-j", *words))["nftables"]

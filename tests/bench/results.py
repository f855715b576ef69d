"""Prints a table of results: each row has a median with its spread, and the ratio to the median of a peer in the same run."""

import statistics


class Results:
    def __init__(self, out):
        self.out = out
        self.part = None
        self.rows = []

    def begin(self, part):
        self.part = part
        print(f"\n{part}\n  {'what':<58}{'median':>10}{'min':>9}{'max':>9}  ratio", file=self.out, flush=True)

    def add(self, what, values, unit, peer=None, aim=None):
        """Adds a row of 'values', which hostlet or a peer produced. 'peer' is the row (as returned) that the ratio refers to.
        'aim' is the desired upper bound: a figure in 'unit', or a ratio as "2.0x"."""
        row = {"part": self.part, "what": what, "unit": unit, "median": statistics.median(values), "min": min(values),
               "max": max(values), "runs": len(values)}
        note = ""
        if peer and peer["median"]:
            row["peer"] = peer["what"]
            row["ratio"] = row["median"] / peer["median"]
            note = f"{row['ratio']:.2f} x {peer['what']}"
        if aim:
            row["aim"] = aim
            note += f"{'; ' if note else ''}aim {aim}"
        self.rows.append(row)
        print(f"  {what:<58}{row['median']:>10.3g}{row['min']:>9.3g}{row['max']:>9.3g} {unit:<4}{note}", file=self.out,
              flush=True)
        return row

    def compare(self, row, peer, aim):
        """Adds another ratio to an existing row."""
        ratio = row["median"] / peer["median"]
        self.rows.append({"part": self.part, "what": row["what"], "peer": peer["what"], "ratio": ratio, "aim": aim})
        print(f"  {'':<58}{'':>28}     {ratio:.2f} x {peer['what']}; aim {aim}", file=self.out, flush=True)

    def say(self, text):
        print(f"  {text}", file=self.out, flush=True)

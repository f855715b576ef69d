"""Judges merges of configuration files: makes random files in four formats, parses them with Python's own parsers, and knows
which lines a merge may touch.

Every leaf value and every comment of a random file is unique, so that the line of an untouched one can be found again.
"""
import datetime
import json
import re
import tomllib

import yaml

KEYS = ["a", "b", "c", "name", "Port", "x-y", "x_y", "a b", "x.y", "ü", "quo\"te", "it's", "back\\slash", "#", "k: v", "7", "日本", "true"]
TEXTS = ["plain", "two words", "ümlaut 日本", "with \"quotes\"", "it's", "back\\slash", "a: b", "# no comment", "- dash", "[x]",
         "{y}", "two\nlines", "ends\n", "\n\n  spaces\n first", "tab\there", "trailing \n", "", " lead", "null", "1.5", "0x10", "=", "a,b", "@x", "%y",
         "x: |", "'", '"', "\\", "*star", "&and", "!bang", "?", "? q", "-", ":", "a #b", "a#b", "é\u2028\x85", "😀", "a\n\nb\n\n\n", "\ta\n b"]


def deep_merge(old, value):
    """Returns what a merge must result in: objects are merged, everything else is replaced."""
    if not isinstance(old, dict) or not isinstance(value, dict):
        return value
    merged = dict(old)
    for key, item in value.items():
        merged[key] = deep_merge(old[key], item) if key in old else item
    return merged


def same(a, b):
    """Compares with types: 1, 1.0 and True are different, and order counts in lists alone."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    return a == b


def touched(value, path):
    """Reports whether a merge of the value changes what is at this path, or something that contains it."""
    for i, key in enumerate(path):
        if not isinstance(value, dict):
            return True
        if key not in value:
            return False
        value = value[key]
    return True


def replaces_lines(old, value):
    """Reports whether a merge replaces a value that can have lines of its own, and so comments between them."""
    return any((isinstance(old[key], dict) and isinstance(item, dict) and replaces_lines(old[key], item)) or
               (isinstance(old[key], (dict, list)) and not (isinstance(old[key], dict) and isinstance(item, dict)))
               for key, item in value.items() if key in old)


def leaves(data, path=()):
    """Yields the path of each text that is a member, with the text."""
    for key, item in data.items():
        if isinstance(item, dict):
            yield from leaves(item, path + (key,))
        elif isinstance(item, str):
            yield path + (key,), item


def lost_lines(kind, before, after, old, value):
    """Returns the lines of 'before' that a merge had to keep, byte by byte and in their order, and did not."""
    number = re.compile(r"v(\d+)z")
    kept = {n for path, text in leaves(old) if not touched(value, path) for n in number.findall(text)}
    comments = kind in ("toml", "properties") or not replaces_lines(old, value)
    strip = "\r\n," if kind == "json" else "\r\n"
    rest = iter([line.rstrip(strip) for line in after.split("\n")])
    lost = []
    for line in before.split("\n"):
        several = kind in ("json", "toml") and re.search(r"[{}]", line)  # members in one line
        numbers = [] if several else number.findall(line)
        if (numbers and kept.issuperset(numbers)) or (comments and re.match(r"\s*[#!] ?comment", line)):
            if not any(other == line.rstrip(strip) for other in rest):
                lost.append(line)
                break
    return lost


class Writer:
    """Has what the writers of random documents share."""

    def __init__(self, random):
        self.random = random
        self.number = 0

    def unique(self):
        self.number += 1
        return self.number

    def scalar(self, dates):
        r, n = self.random, self.unique()
        kind = r.randrange(8)
        if kind == 0:
            return n * 10 ** r.choice([0, 3, 25])
        if kind == 1:
            return -n / 8
        if kind == 2:
            return r.random() < 0.5
        if kind == 3 and dates:
            return r.choice([datetime.date(2000 + n % 100, 1, 28), datetime.datetime(2001, 2, 3, 4, 5, n % 60)])
        return r.choice(TEXTS) + f"v{n}z" if r.random() < 0.7 else f"v{n}z" + r.choice(TEXTS)

    def data(self, depth=3, dates=False, nulls=True, root=True):
        r = self.random
        table = {}
        for key in r.sample(KEYS, r.randrange(1 if root else 0, 6)):
            kind = r.randrange(10)
            if kind < 3 and depth > 0:
                table[key] = self.data(depth - 1, dates, nulls, False)
            elif kind == 3:
                table[key] = [self.scalar(dates) for _ in range(r.randrange(4))]
            elif kind == 4 and depth > 0:
                table[key] = [self.data(depth - 1, dates, nulls, False) for _ in range(r.randrange(1, 3))]
            elif kind == 5 and nulls:
                table[key] = None
            else:
                table[key] = self.scalar(dates)
        return table


# JSON

def write_json(writer, data, value=False):
    r = writer.random
    indent = r.choice([None, 0, 2, 4, "\t"])
    text = json.dumps(data, indent=indent, ensure_ascii=r.random() < 0.5, separators=r.choice([(",", ":"), (", ", ": ")]))
    return text + r.choice(["", "\n", "\n\n"])


# TOML

def toml_key(key):
    bare = key and all(c.isascii() and (c.isalnum() or c in "-_") for c in key)
    return key if bare else json.dumps(key, ensure_ascii=False).replace("\x7f", "\\u007f")


def toml_text(writer, text):
    r = writer.random
    quoted = json.dumps(text, ensure_ascii=False)
    quoted = quoted.replace("\x7f", "\\u007F")
    if "'" not in text and "\n" not in text and r.random() < 0.3:
        return f"'{text}'"
    if "\n" in text and r.random() < 0.7 and '"' not in text and "\\" not in text:
        return '"""\n' + text + '"""'
    return quoted


def toml_value(writer, item):
    r = writer.random
    if isinstance(item, bool):
        return str(item).lower()
    if isinstance(item, str):
        return toml_text(writer, item)
    if isinstance(item, datetime.date):
        return str(item).replace(" ", r.choice(" T"))
    if isinstance(item, list):
        parts = [toml_value(writer, x) for x in item]
        if parts and r.random() < 0.3:
            return "[\n" + "".join(f"    {part}, # e\n" for part in parts) + "]"
        return "[" + ", ".join(parts) + "]"
    if isinstance(item, dict):
        return "{" + ", ".join(f"{toml_key(k)} = {toml_value(writer, v)}" for k, v in item.items()) + "}"
    return repr(item)


def write_toml(writer, data, value=False):
    r, lines = writer.random, []

    def comment():
        if r.random() < 0.3:
            lines.append(r.choice(["", "  "]) + f"# comment{writer.unique()}")
        if r.random() < 0.1:
            lines.append("")

    def pair(prefix, key, item):
        comment()
        tail = f" # tail{writer.unique()}" if r.random() < 0.2 else ""
        lines.append(f"{prefix}{toml_key(key)}{r.choice(['=', ' = ', '   = '])}{toml_value(writer, item)}{tail}")

    def table(path, items, prefix=""):
        later = []
        for key, item in items.items():
            if isinstance(item, dict) and item and r.random() < 0.3:  # dotted keys
                if any(not isinstance(x, dict) for x in item.values()):
                    simple = {k: x for k, x in item.items()}
                    for k, x in simple.items():
                        pair(prefix + toml_key(key) + ".", k, x)
                    continue
            if isinstance(item, dict) and r.random() < 0.8:
                later.append((key, item))
            elif isinstance(item, list) and item and all(isinstance(x, dict) for x in item) and r.random() < 0.6:
                later.append((key, item))
            else:
                pair(prefix, key, item)
        r.shuffle(later)
        for key, item in later:
            name = ".".join(path + [toml_key(key)])
            if isinstance(item, dict):
                only_tables = item and all(isinstance(x, dict) for x in item.values())
                comment()
                if not only_tables or r.random() < 0.5:
                    lines.append(f"[{name}]")
                    table(path + [toml_key(key)], item)
                else:
                    for k, x in item.items():
                        lines.append(f"[{name}.{toml_key(k)}]")
                        table(path + [toml_key(key), toml_key(k)], x)
            else:
                for x in item:
                    comment()
                    lines.append(f"[[{name}]]")
                    table(path + [toml_key(key)], x)

    table([], data)
    comment()
    return "\n".join(lines) + r.choice(["", "\n", "\n\n"])


# YAML

def yaml_text(writer, text):
    """Returns a scalar in one line."""
    r = writer.random
    if r.random() < 0.5 and "\n" not in text and text == text.strip():
        try:
            if yaml.safe_load(f"k: {text}\n") == {"k": text} and yaml.safe_load(f"{text}: 1\n") == {text: 1} and \
                    yaml.safe_load(f"[{text}]") == [text] and text[:1] not in "&*!|>%@`[{\"'":
                return text
        except yaml.YAMLError:
            pass
    if r.random() < 0.3 and all(c.isprintable() for c in text) and "\x85" not in text:
        return "'" + text.replace("'", "''") + "'"
    names = {"\x85": "\\N", "\u2028": "\\L"}
    plain = json.dumps(text, ensure_ascii=False)
    return "".join(names.get(c) or (c if r.random() < 0.9 or ord(c) < 128 else f"\\U{ord(c):08x}") for c in plain)


def yaml_block(writer, text, indent, parent):
    """Returns a text block, or None if the text cannot be one."""
    r = writer.random
    if not text.strip() or "\t" in text or "\x85" in text or "\u2028" in text or not text.replace("\n", "").isprintable():
        return None
    body = text.rstrip("\n")
    ends = len(text) - len(body)
    chomp = "-" if ends == 0 else "" if ends == 1 else "+"
    first = [line for line in body.split("\n") if line.strip()][0]
    explicit = str(indent - parent) if first.startswith(" ") or body.startswith("\n") or r.random() < 0.1 else ""
    lines = [" " * indent + line if line else "" for line in body.split("\n")] + [""] * max(0, ends - 1)
    return f"|{explicit}{chomp}", lines


def yaml_scalar(writer, item):
    if item is None:
        return writer.random.choice(["null", "~", ""])
    if isinstance(item, bool):
        return str(item).lower()
    if isinstance(item, str):
        return yaml_text(writer, item)
    return repr(item) if not isinstance(item, datetime.datetime) else str(item)


def write_yaml(writer, data, value=False):
    r, lines = writer.random, []
    if r.random() < 0.1:
        lines.append("---")
    step = r.choice([1, 2, 4])

    def comment(indent):
        if r.random() < 0.25:
            lines.append(" " * r.choice([indent, indent, 0]) + f"# comment{writer.unique()}")
        if r.random() < 0.1:
            lines.append("")

    def tail():
        return f" # tail{writer.unique()}" if r.random() < 0.2 else ""

    def put(prefix, indent, item, parent):
        """Writes an item after a key or dash at 'parent' spaces."""
        if isinstance(item, dict):
            if not item:
                lines.append(prefix + " {}" + tail())
            elif prefix.endswith("-") and r.random() < 0.6:
                start = len(lines)
                mapping(item, parent + 2, False)
                lines[start] = prefix + " " + lines[start][parent + 2:]
            else:
                lines.append(prefix + tail())
                mapping(item, indent)
        elif isinstance(item, list):
            flat = all(not isinstance(x, (dict, list)) for x in item)
            if not item or (flat and r.random() < 0.4):
                texts = [yaml_scalar(writer, x) or "null" for x in item]
                lines.append(f"{prefix} [{', '.join(texts)}]" + tail())
            else:
                lines.append(prefix + tail())
                column = parent if not prefix.endswith("-") and r.random() < 0.4 else indent
                for x in item:
                    put(" " * column + "-", column + step + 1, x, column)
        else:
            block = yaml_block(writer, item, indent, parent) if isinstance(item, str) and r.random() < 0.5 else None
            if block:
                lines.append(f"{prefix} {block[0]}" + tail())
                lines.extend(block[1])
            else:
                text = yaml_scalar(writer, item)
                lines.append(prefix + (" " * r.choice([1, 1, 3]) + text if text else "") + tail())

    def mapping(items, indent, comments=True):
        for key, item in items.items():
            if comments:
                comment(indent)
            comments = True
            put(" " * indent + yaml_text(writer, key) + r.choice(["", "", " "]) + ":", indent + step, item, indent)

    mapping(data, 0)
    if value:
        return "\n".join(lines)
    comment(0)
    # A file that ends in a text block without a newline is refused: see the table of files.
    return "\n".join(lines) + r.choice(["\n", "\n\n"])


# Java properties

def properties_escape(text, key):
    out = []
    for i, c in enumerate(text):
        if c == "\n":
            out.append("\\n")
        elif c == "\t":
            out.append("\\t")
        elif c == "\\" or (key and c in " :=#!") or (i == 0 and c in " #!:="):
            out.append("\\" + c)
        elif ord(c) > 0xffff:
            n = ord(c) - 0x10000
            out.append(f"\\u{0xd800 + (n >> 10):04x}\\u{0xdc00 + (n & 0x3ff):04x}")
        elif ord(c) > 126 or ord(c) < 32:
            out.append(f"\\u{ord(c):04X}")
        else:
            out.append(c)
    return "".join(out)


def write_properties(writer, data, value=False):
    r, lines = writer.random, []
    for key, item in data.items():
        if r.random() < 0.3:
            lines.append(r.choice(["", "  "]) + r.choice("#!") + f" comment{writer.unique()}")
        text = properties_escape(item, False)
        if len(text) > 6 and r.random() < 0.2 and "\\" not in text and " " not in text:
            text = text[:3] + "\\\n    " + text[3:]
        lines.append(r.choice(["", "  "]) + properties_escape(key, True) + r.choice(["=", ":", " = ", " "]) + text)
    text = "\n".join(lines)
    return text if value else text + r.choice(["", "\n", "\n\n"])


def parse_properties(text):
    """Reads Java properties, as java.util.Properties does; the bytes are ISO 8859-1."""
    data, lines = {}, text.replace("\r\n", "\n").split("\n")
    while lines:
        line = lines.pop(0).lstrip(" \t\f")
        if not line or line[0] in "#!":
            continue
        while (len(line) - len(line.rstrip("\\"))) % 2 == 1:
            line = line[:-1] + (lines.pop(0).lstrip(" \t\f") if lines else "")
        i = 0
        while i < len(line) and line[i] not in "=: \t\f":
            i += 2 if line[i] == "\\" else 1
        rest = line[i:].lstrip(" \t\f")
        if rest[:1] in ("=", ":"):
            rest = rest[1:].lstrip(" \t\f")
        data[properties_unescape(line[:i])] = properties_unescape(rest)
    return data


def properties_unescape(text):
    out, i = [], 0
    while i < len(text):
        c = text[i]
        i += 1
        if c == "\\" and i < len(text):
            c = text[i]
            i += 1
            if c == "u":
                c = chr(int(text[i:i + 4], 16))
                i += 4
            else:
                c = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}.get(c, c)
        out.append(c)
    return "".join(out).encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


class Loader(yaml.SafeLoader):
    """Refuses duplicate keys, as a merge does."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        assert len(set(map(repr, keys))) == len(keys), f"a duplicate key in {node.start_mark}"
        return super().construct_mapping(node, deep=True)


def unique_pairs(pairs):
    assert len({key for key, _ in pairs}) == len(pairs), "a duplicate key"
    return dict(pairs)


def read_text(data):
    return data.decode().removeprefix("\ufeff")


PARSERS = {
    "json": lambda data: json.loads(read_text(data), object_pairs_hook=unique_pairs),
    "toml": lambda data: tomllib.loads(read_text(data)),
    "yaml": lambda data: yaml.load(data.decode(), Loader=Loader) or {},
    "properties": lambda data: parse_properties(data.decode("latin-1")),
}
WRITERS = {"json": write_json, "toml": write_toml, "yaml": write_yaml, "properties": write_properties}


def random_data(writer, kind):
    if kind == "properties":
        r = writer.random
        return {key: r.choice(TEXTS) + f"v{writer.unique()}z" for key in r.sample(KEYS, r.randrange(1, 8))}
    return writer.data(dates=kind == "toml", nulls=kind != "toml")


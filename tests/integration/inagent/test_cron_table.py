"""Compares the times of cron expressions with those of two independent programs: croniter for the calendar, and Python's
zoneinfo for the zones.

croniter computes local times without a zone. zoneinfo then says which instants have such a local time: none, if it is
skipped, or two, if it is repeated. Where croniter and the contract (the library robfig/cron) differ, the table avoids it
or translates it, and the last test shows two of them:

- croniter takes the second as the last of six fields, hostlet as the first, and knows no "?".
- In croniter "1/2" of the days of the week includes 7, so that Sunday follows Friday; in the contract the last day is 6.
- croniter 1.3.5 misses March 1 of a leap year if several days of the month are listed: these cases are left out.
- In croniter "1-31" and "*/1" for a day are the same as "*", and let the other field decide; in the contract "1-31" is a
  restriction, of which one must match.
- croniter moves a skipped time to the next hour, and knows repeated ones only in part: its zones are not used.
"""
import datetime
import os
import pathlib
import random
import re
import subprocess
import zoneinfo

import pytest

croniter = pytest.importorskip("croniter", reason="needs Debian's python3-croniter").croniter

BUILD = pathlib.Path(os.environ.get("HOSTLET_BUILD", "."))
ZONEINFO = pathlib.Path("/usr/share/zoneinfo")
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]
COUNT = 12

pytestmark = pytest.mark.skipif(not ZONEINFO.joinpath(ZONES[0]).exists(), reason="needs Debian's tzdata")

EXPRESSIONS = """
* * * * *|*/5 * * * *|*/7 * * * *|0 * * * *|30 * * * *|15,45 * * * *|0-10/3 * * * *|5/20 * * * *|59 23 * * *|0 0 * * *
0 1 * * *|30 1 * * *|0 2 * * *|15 2 * * *|30 2 * * *|59 2 * * *|0 3 * * *|45 1,2,3 * * *|*/30 1-3 * * *|*/15 0-4 * * *
0 0 * * 0|0 0 * * 7|0 0 * * sun|0 12 * * mon-fri|30 9 * * MON,Wed,fri|0 0 * * 1/2|0 6 * * sat|15 4 * * 6-7|0 0 ? * *|0 0 * * ?
0 0 1 * *|0 0 15 * *|0 0 31 * *|0 0 29 2 *|0 0 30 * *|0 12 1,15 * *|0 0 */5 * *|0 0 10-20/2 * *|30 2 25 10 *|30 2 29 3 *
0 0 1 1 *|0 0 1 jan *|0 0 1 */3 *|0 0 1 1-6/2 *|0 0 31 1-12 *|0 0 28 feb *|15 10 ? JUN,dec *|0 0 1 4/4 *|0 2 * 3 *|0 2 * 10,11 *
0 0 13 * 5|0 0 1,15 * sun|0 12 */10 * mon|30 1 8-14 * sat|0 0 29 2 mon|0 3 * * sun|30 2 * * sun|45 1 * * sun|0 1 * 11 sun|0 2 8-14 3 *
*/90 * * * *|0 */2 * * *|0 */5 * * *|0 1-23/2 * * *|0 22,23 * * *|59 1 * * *|1 3 * * *|0 0-6 * * *|7 7 7 7 *|58-59 23 31 12 *
@yearly|@annually|@monthly|@weekly|@daily|@midnight|@hourly|0 4 1-7 * *|0 4 * 2 *|*/20 2 * 3,10 *
* * * * * *|*/10 * * * * *|30 */15 * * * *|0 0 * * * *|15,45 30 2 * * *|59 59 23 31 12 *|5/25 0 1 * * *|0 0 12 ? * mon|1 2 3 4 5 *|30 30 */6 29 2 ?
""".split("\n")


def table():
    """Returns the expressions above, and random ones up to two hundred."""
    written = [one for line in EXPRESSIONS if line for one in line.split("|")]
    numbers = random.Random(11)
    limits = [(0, 59), (0, 23), (1, 28), (1, 12), (0, 6)]

    def field(low, high):
        first, last = sorted((numbers.randint(low, high), numbers.randint(low, high)))
        return numbers.choice(["*", "*", str(first), f"{first},{last}", f"{first}/{numbers.randint(2, 9)}",
                               f"*/{numbers.randint(2, 9)}"] + ([f"{first}-{last}"] if first < last else []))

    while len(written) < 200:
        fields = [field(*limit) for limit in limits]
        # croniter: see above.
        if fields[2] == "1-28" or fields[4] in ("0-6", "*/1"):
            continue
        written.append(" ".join(fields))
    return written


def instants(local, zone):
    """Returns the unix times of a local time: none, one or two."""
    found = set()
    for fold in (0, 1):
        when = local.replace(tzinfo=zone, fold=fold)
        unix = int(when.timestamp())
        if datetime.datetime.fromtimestamp(unix, zone).replace(tzinfo=None) == local:
            found.add(unix)
    return found


def translated(expression):
    """Returns the expression as croniter means it: see above."""
    fields = expression.replace("?", "*").split()
    fields = fields[1:] + fields[:1] if len(fields) == 6 else fields
    if len(fields) > 1:
        first, slash, step = fields[2].partition("/")
        if slash and first == "*":
            fields[2] = ",".join(map(str, range(1, 32, int(step))))
        if re.fullmatch(r"\d/\d+", fields[4]):
            fields[4] = fields[4].replace("/", "-6/")
    return " ".join(fields)


def expected(expression, start, zone):
    """Returns the first times after 'start'. A local time can be an hour earlier than the one before."""
    local = datetime.datetime.fromtimestamp(start, zone).replace(tzinfo=None) - datetime.timedelta(hours=3)
    times, found = croniter(translated(expression), local), set()
    last = None
    while last is None or local < last + datetime.timedelta(hours=3):
        local = times.get_next(datetime.datetime)
        found |= {unix for unix in instants(local, zone) if unix > start}
        if last is None and len(found) >= COUNT:
            last = local
    return sorted(found)[:COUNT]


def unix(text):
    return int(datetime.datetime.fromisoformat(text + "+00:00").timestamp())


# Both changes of each zone, a leap day, the turn of a year, and beyond the transitions that the files list (2037).
STARTS = {
    "Europe/Berlin": ["2026-03-28T22:10:00", "2026-10-24T21:10:05", "2028-02-28T20:00:00", "2026-12-31T20:00:00", "2051-03-25T22:00:00"],
    "America/New_York": ["2026-03-08T03:10:00", "2026-11-01T02:10:05", "2028-02-28T20:00:00", "2026-12-31T20:00:00", "2051-11-05T02:00:00"],
    "Australia/Lord_Howe": ["2026-10-03T12:10:00", "2026-04-04T12:10:05", "2028-02-28T20:00:00", "2026-12-31T20:00:00",
                            "2051-04-01T12:00:00"],
}


def ask(questions):
    """Returns the line of output for each 'START COUNT EXPRESSION'."""
    answers = subprocess.run([BUILD / "cron-next", ZONEINFO], input="\n".join(questions) + "\n", capture_output=True, text=True,
                             check=True, timeout=120).stdout.splitlines()
    assert len(answers) == len(questions)
    return answers


@pytest.mark.limit(600)
@pytest.mark.parametrize("name", ZONES)
def test_two_hundred_expressions_have_the_times_of_another_library(name):
    zone, expressions = zoneinfo.ZoneInfo(name), table()
    assert len(expressions) == 200
    cases = [(unix(start), expression) for expression in expressions for start in STARTS[name]
             if not (start.startswith("2028-02") and re.match(r"\S+ \S+ \S*,", translated(expression)))]
    assert len(cases) > 950
    answers = ask([f"{start} {COUNT} TZ={name} {expression}" for start, expression in cases])
    wrong = []
    for (start, expression), answer in zip(cases, answers):
        wanted = " ".join(map(str, expected(expression, start, zone)))
        if answer != wanted:
            wrong.append(f"'{expression}' after {datetime.datetime.fromtimestamp(start, zone)}:\n  {answer}\n  {wanted}")
    assert not wrong, f"{len(wrong)} of {len(cases)} differ:\n" + "\n".join(wrong[:10])


def test_offsets_are_those_of_zoneinfo_for_every_zone():
    """A time is asked for by a rule that matches each hour: the distance of each from UTC shows the offset."""
    names = sorted(name for name in zoneinfo.available_timezones() if (ZONEINFO / name).exists() and "/" in name)
    assert len(names) > 300
    starts = [unix(f"{year}-{month:02}-01T00:30:00") for year in (1950, 1985, 2026, 2045) for month in (1, 7)]
    cases = [(name, start) for name in names for start in starts]
    answers = ask([f"{start} 1 TZ={name} 0 0 0 * * *" for name, start in cases])
    for (name, start), answer in zip(cases, answers):
        zone = zoneinfo.ZoneInfo(name)
        local = datetime.datetime.fromtimestamp(int(answer), zone)
        assert (local.hour, local.minute, local.second) == (0, 0, 0), f"{name}: {local}"
        assert 0 < int(answer) - start <= 50 * 3600, name


def test_where_the_contract_and_croniter_differ():
    start = unix("2026-12-01T00:00:00")

    def days(expression):
        return [datetime.datetime.fromtimestamp(int(one), datetime.timezone.utc).day for one in
                ask([f"{start} 3 {expression}"])[0].split()]

    def theirs(expression):
        times = croniter(expression, datetime.datetime(2026, 12, 1))
        return [times.get_next(datetime.datetime).day for _ in range(3)]

    assert (days("0 0 1-31 * sun"), theirs("0 0 1-31 * sun")) == ([2, 3, 4], [6, 13, 20])
    assert days("0 0 */1 * sun") == theirs("0 0 */1 * sun") == [6, 13, 20]

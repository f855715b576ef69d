/* Implements version.h. */
#include "lib/package/version.h"

#include <ctype.h>
#include <errno.h>
#include <strings.h>

#include "lib/basic/cleanup.h"

/* A part of the version's text; not terminated. */
struct span {
    const char *at;
    size_t size;
};

struct version {
    struct span numbers[3];
    unsigned n_numbers;
    struct span prerelease; /* size 0: none */
    struct span rebuild;    /* the digits of -rN; size 0: none */
    struct span build;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_identifier(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
}

static size_t count_digits(const char *s)
{
    size_t n = 0;
    while (is_digit(s[n]))
        n++;
    return n;
}

/* Reads dot-separated, non-empty identifiers from *s and advances it. */
static bool take_identifiers(const char **s, struct span *ret)
{
    const char *at = *s;
    for (;;) {
        const char *start = at;
        while (is_identifier(*at))
            at++;
        if (at == start)
            return false;
        if (*at != '.')
            break;
        at++;
    }
    *ret = (struct span){*s, (size_t)(at - *s)};
    *s = at;
    return true;
}

/* Separates "-rN" (or "rN", if the suffix consists of it) from the end of a suffix. The rest is the
 * pre-release and must be a valid one: in "1.0.0-a.-r2", "-r2" is an identifier. */
static void split_rebuild(struct span suffix, struct version *v)
{
    size_t digits = 0;
    while (digits < suffix.size && is_digit(suffix.at[suffix.size - 1 - digits]))
        digits++;
    size_t rest = suffix.size - digits;
    if (digits > 0 && rest >= 1 && suffix.at[rest - 1] == 'r' &&
        (rest == 1 || (rest > 2 && suffix.at[rest - 2] == '-' && suffix.at[rest - 3] != '.'))) {
        v->rebuild = (struct span){suffix.at + rest, digits};
        v->prerelease = (struct span){suffix.at, rest == 1 ? 0 : rest - 2};
    } else {
        v->prerelease = suffix;
    }
}

static bool version_parse(const char *s, struct version *ret)
{
    if (strnlen(s, VERSION_LENGTH_MAX + 1) > VERSION_LENGTH_MAX)
        return false;
    struct version v = {0};
    for (;;) {
        size_t n = count_digits(s);
        if (n == 0 || v.n_numbers == ARRAY_SIZE(v.numbers))
            return false;
        v.numbers[v.n_numbers++] = (struct span){s, n};
        s += n;
        if (*s != '.')
            break;
        s++;
    }
    if (*s == '-') {
        struct span suffix;
        s++;
        if (!take_identifiers(&s, &suffix))
            return false;
        split_rebuild(suffix, &v);
    }
    if (*s == '+') {
        s++;
        if (!take_identifiers(&s, &v.build))
            return false;
    }
    if (*s)
        return false;
    *ret = v;
    return true;
}

/* Compares numbers of any length as text, so that none overflows. A missing number is 0. */
static int compare_numbers(struct span a, struct span b)
{
    while (a.size > 0 && *a.at == '0')
        a.at++, a.size--;
    while (b.size > 0 && *b.at == '0')
        b.at++, b.size--;
    if (a.size != b.size)
        return a.size < b.size ? -1 : 1;
    return a.size > 0 ? memcmp(a.at, b.at, a.size) : 0;
}

static struct span take_identifier(struct span *s)
{
    const char *dot = memchr(s->at, '.', s->size);
    struct span first = {s->at, dot ? (size_t)(dot - s->at) : s->size};
    size_t taken = dot ? first.size + 1 : first.size;
    s->at += taken;
    s->size -= taken;
    return first;
}

static bool all_digits(struct span s)
{
    for (size_t i = 0; i < s.size; i++)
        if (!is_digit(s.at[i]))
            return false;
    return true;
}

static int compare_identifier(struct span a, struct span b)
{
    bool a_number = all_digits(a), b_number = all_digits(b);
    if (a_number && b_number)
        return compare_numbers(a, b);
    if (a_number != b_number)
        return a_number ? -1 : 1;
    int r = memcmp(a.at, b.at, a.size < b.size ? a.size : b.size);
    return r ?: (a.size > b.size) - (a.size < b.size);
}

/* Compares as SemVer 2.0.0, item 11, defines: a version without pre-release is newer; otherwise identifier
 * by identifier. */
static int compare_prerelease(struct span a, struct span b)
{
    if (a.size == 0 || b.size == 0)
        return (a.size == 0) - (b.size == 0);
    while (a.size > 0 && b.size > 0) {
        int r = compare_identifier(take_identifier(&a), take_identifier(&b));
        if (r != 0)
            return r;
    }
    return (a.size > 0) - (b.size > 0);
}

int version_check(const char *version, struct error *e)
{
    struct version v;
    if (!version_parse(version, &v))
        return error_refuse(
            e, EINVAL,
            "'%.80s' is not a version: one to three numbers as in 1.0.2, perhaps followed by -rc1, -r2 or "
            "+build, at most %d characters",
            version, VERSION_LENGTH_MAX);
    return 0;
}

int version_compare(const char *a, const char *b)
{
    struct version x, y;
    bool valid_a = version_parse(a, &x), valid_b = version_parse(b, &y);
    if (!valid_a || !valid_b)
        return valid_a - valid_b;
    for (size_t i = 0; i < ARRAY_SIZE(x.numbers); i++) {
        int r = compare_numbers(x.numbers[i], y.numbers[i]);
        if (r != 0)
            return r;
    }
    int r = compare_prerelease(x.prerelease, y.prerelease);
    if (r != 0)
        return r;
    if (x.rebuild.size == 0 || y.rebuild.size == 0)
        return (x.rebuild.size > 0) - (y.rebuild.size > 0);
    return compare_numbers(x.rebuild, y.rebuild);
}

int version_rule_check(const char *rule, struct error *e)
{
    return *rule ? version_check(rule, e) : 0;
}

bool version_matches(const char *rule, const char *version)
{
    struct version r, v;
    if (!version_parse(version, &v))
        return false;
    if (!*rule)
        return true;
    if (!version_parse(rule, &r))
        return false;
    if (r.n_numbers == ARRAY_SIZE(r.numbers) || r.prerelease.size > 0 || r.rebuild.size > 0 ||
        r.build.size > 0)
        return strcasecmp(rule, version) == 0;
    for (unsigned i = 0; i < r.n_numbers; i++)
        if (compare_numbers(r.numbers[i], v.numbers[i]) != 0)
            return false;
    return true;
}

char *version_without_rebuild(const char *version)
{
    struct version v;
    if (!version_parse(version, &v) || v.rebuild.size == 0)
        return xstrdup(version);
    /* The "-r" precedes the digits; build metadata stays. */
    _cleanup_free_ char *head = xstrndup(version, (size_t)(v.rebuild.at - version) - 2);
    return xasprintf("%s%s", head, v.rebuild.at + v.rebuild.size);
}

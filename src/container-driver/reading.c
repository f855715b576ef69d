/* Implements reading.h. */
#include "container-driver/reading.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/printable.h"
#include "lib/schema/object.h"

static const char *type_name(const json_t *j)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object",   [JSON_ARRAY] = "an array",     [JSON_STRING] = "a string",
        [JSON_INTEGER] = "an integer", [JSON_REAL] = "a real number", [JSON_TRUE] = "a boolean",
        [JSON_FALSE] = "a boolean",    [JSON_NULL] = "null",
    };
    return names[json_typeof(j)];
}

static void wrong_type(struct reading *r, const char *path, const char *expected, const json_t *found)
{
    if (r->r == 0)
        r->r = error_fail(r->error, EPROTO, "%s makes no sense: %s is not %s but %s", r->what, path, expected,
                          type_name(found));
}

/* Returns the value at 'path', or NULL when it or an object on the way to it is absent or null. */
static json_t *find(struct reading *r, json_t *from, const char *path)
{
    json_t *at = from;
    for (const char *p = path; at && r->r == 0; p++) {
        size_t n = strcspn(p, "/");
        if (!json_is_object(at)) {
            wrong_type(r, path, "inside of an object", at);
            return NULL;
        }
        at = json_object_getn(at, p, n);
        if (json_is_null(at))
            return NULL;
        p += n;
        if (!*p)
            return at;
    }
    return NULL;
}

const char *read_string(struct reading *r, json_t *from, const char *path)
{
    json_t *j = find(r, from, path);
    if (j && !json_is_string(j))
        wrong_type(r, path, "a string", j);
    return json_string_value(j);
}

const char *need_string(struct reading *r, json_t *from, const char *path)
{
    const char *s = read_string(r, from, path);
    if (!s && r->r == 0)
        r->r = error_fail(r->error, EPROTO, "%s makes no sense: %s is missing", r->what, path);
    return s ?: "";
}

static int64_t clamp(double value)
{
    return value >= (double)INT64_MAX ? INT64_MAX : value <= (double)INT64_MIN ? INT64_MIN : (int64_t)value;
}

/* Reports whether the value has no fraction. Beyond the range of an int64_t no double has one. */
static bool is_whole(double value)
{
    return value >= (double)INT64_MAX || value <= (double)INT64_MIN || value == (double)(int64_t)value;
}

int64_t read_integer(struct reading *r, json_t *from, const char *path)
{
    json_t *j = find(r, from, path);
    if (json_is_real(j) && is_whole(json_real_value(j)))
        return clamp(json_real_value(j)); /* see parse_answer() */
    if (j && !json_is_integer(j))
        wrong_type(r, path, "an integer", j);
    return json_integer_value(j);
}

bool read_bool(struct reading *r, json_t *from, const char *path)
{
    json_t *j = find(r, from, path);
    if (j && !json_is_boolean(j))
        wrong_type(r, path, "a boolean", j);
    return json_is_true(j);
}

json_t *read_object(struct reading *r, json_t *from, const char *path)
{
    json_t *j = find(r, from, path);
    if (j && !json_is_object(j))
        wrong_type(r, path, "an object", j);
    return json_is_object(j) ? j : NULL;
}

json_t *read_array(struct reading *r, json_t *from, const char *path)
{
    json_t *j = find(r, from, path);
    if (j && !json_is_array(j))
        wrong_type(r, path, "an array", j);
    return json_is_array(j) ? j : NULL;
}

void read_strings(struct reading *r, json_t *from, const char *path, char ***ret, size_t *ret_n)
{
    size_t i;
    json_t *item;
    json_array_foreach(read_array(r, from, path), i, item)
    {
        if (json_is_string(item))
            schema_append_string(ret, ret_n, json_string_value(item));
        else
            wrong_type(r, path, "an array of strings", item);
    }
}

int64_t read_time(struct reading *r, json_t *from, const char *path)
{
    const char *s = read_string(r, from, path);
    if (!s || !*s)
        return 0;
    struct tm tm = {0};
    int n = 0, hours = 0, minutes = 0;
    char sign = 'Z';
    double fraction = 0;
    bool fine = sscanf(s, "%4d-%2d-%2dT%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
                       &tm.tm_min, &tm.tm_sec, &n) == 6;
    if (fine && s[n] == '.') {
        double scale = 0.1;
        for (n++; s[n] >= '0' && s[n] <= '9'; n++, scale /= 10)
            fraction += (s[n] - '0') * scale;
    }
    fine = fine && (streq(s + n, "Z") ||
                    (sscanf(s + n, "%c%2d:%2d", &sign, &hours, &minutes) == 3 && strchr("+-", sign)));
    if (!fine) {
        if (r->r == 0)
            r->r = error_fail(r->error, EPROTO, "%s makes no sense: %s is no time", r->what, path);
        return 0;
    }
    if (tm.tm_year <= 1)
        return 0;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    int64_t seconds = timegm(&tm) - (sign == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
    return seconds * 1000 + (int64_t)(fraction * 1000);
}

int parse_answer(const char *what, const char *text, size_t size, json_t **ret, struct error *e)
{
    json_error_t problem;
    json_t *j = json_loadb(text, size, JSON_ALLOW_NUL, &problem);
    /* Docker writes unsigned numbers, such as 2^64 − 1 for "no limit", which jansson does not parse as
     * integers. */
    if (!j && json_error_code(&problem) == json_error_numeric_overflow)
        j = json_loadb(text, size, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &problem);
    if (!j) {
        _cleanup_free_ char *why = clean_text(problem.text, 100);
        return error_fail(e, EPROTO, "%s makes no sense: %s", what, why);
    }
    *ret = j;
    return 0;
}

char *clean_text(const char *text, size_t max)
{
    size_t n = strnlen(text, max + 1);
    bool cut = n > max;
    if (cut) /* at the boundary of a UTF-8 character */
        for (n = max; n > 0 && (text[n] & 0xc0) == 0x80; n--)
            ;
    while (n > 0 && strchr(" \r\n\t", text[n - 1]))
        n--;
    _cleanup_free_ char *s = xasprintf("%.*s%s", (int)n, text, cut ? "…" : "");
    for (char *c = s; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 127)
            *c = ' ';
    return printable(s);
}

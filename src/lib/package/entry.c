/* Implements entry.h. */
#include "lib/package/entry.h"

#include <errno.h>
#include <stdio.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/printable.h"

#define NAME_SHOWN_MAX 200

char *entry_printable(const char *name)
{
    const size_t room = NAME_SHOWN_MAX + 16; /* the bytes of one more character, and "..." */
    char *text = xcalloc(1, room);
    size_t n = 0, left = strlen(name), size;
    for (const char *c = name; left > 0; c += size, left -= size) {
        bool good;
        size = printable_character(c, left, true, &good);
        if (n > NAME_SHOWN_MAX - 4) {
            memcpy(text + n, "...", 4);
            break;
        }
        if (good && *c != '\'' && *c != '\\') {
            memcpy(text + n, c, size);
            n += size;
            continue;
        }
        for (size_t i = 0; i < size; i++)
            n += (size_t)snprintf(text + n, room - n, "\\x%02x", (unsigned char)c[i]);
    }
    return text;
}

static int refuse(const char *raw, const char *why, struct error *e)
{
    _cleanup_free_ char *name = entry_printable(raw);
    return error_refuse(e, EBADMSG, "entry '%s' %s", name, why);
}

int entry_name_normalise(const char *raw, const struct package_limits *limits, char **ret, struct error *e)
{
    if (!*raw)
        return refuse(raw, "has an empty name", e);
    if (*raw == '/')
        return refuse(raw, "has an absolute name", e);
    if (strlen(raw) > limits->path)
        return refuse(raw, "has a name that is too long", e);
    _cleanup_free_ char *name = xcalloc(1, strlen(raw) + 1);
    char *to = name;
    uint64_t depth = 0;
    for (const char *from = raw; *from;) {
        size_t n = strcspn(from, "/");
        if (n == 2 && from[0] == '.' && from[1] == '.')
            return refuse(raw, "has '..' in its name", e);
        if (n > 255)
            return refuse(raw, "has a part of more than 255 bytes in its name", e);
        if (n > 0 && !(n == 1 && from[0] == '.')) {
            if (to > name)
                *to++ = '/';
            memcpy(to, from, n);
            to += n;
            depth++;
        }
        from += n;
        from += strspn(from, "/");
    }
    if (depth > limits->depth)
        return refuse(raw, "is in too many directories", e);
    *ret = TAKE_PTR(name);
    return 0;
}

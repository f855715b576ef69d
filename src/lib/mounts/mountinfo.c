/* Implements mountinfo.h. */
#include "lib/mounts/mountinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"

#define MOUNTINFO_MAX ((size_t)64 << 20) /* bytes */
#define FIELDS_MAX    64                 /* the number of optional fields has no limit */

int mountinfo_read(char **ret, struct error *e)
{
    return read_file_at(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, ret, NULL, e);
}

/* Replaces \ooo by its character, in place. The kernel escapes space, tab, newline and backslash. */
static char *unescape(char *text)
{
    char *to = text;
    for (char *c = text; *c; c++) {
        if (c[0] == '\\' && c[1] && c[2] && c[3]) {
            *to++ = (char)((c[1] - '0') * 64 + (c[2] - '0') * 8 + (c[3] - '0'));
            c += 3;
        } else {
            *to++ = *c;
        }
    }
    *to = '\0';
    return text;
}

static bool parse_line(char *line, struct mount *ret)
{
    char *fields[FIELDS_MAX], *rest = line, *word;
    size_t n = 0, dash = 0;
    while (n < FIELDS_MAX && (word = strsep(&rest, " ")) != NULL)
        fields[n++] = word;
    for (size_t i = 6; i < n && !dash; i++)
        if (streq(fields[i], "-"))
            dash = i;
    struct mount mount = {.id = -1};
    if (!dash || dash + 3 >= n || parse_int64(fields[0], 0, INT64_MAX, &mount.id) < 0 ||
        sscanf(fields[2], "%u:%u", &mount.major, &mount.minor) != 2)
        return false;
    mount.root = xstrdup(unescape(fields[3]));
    mount.mount_point = xstrdup(unescape(fields[4]));
    mount.type = xstrdup(fields[dash + 1]);
    mount.source = xstrdup(unescape(fields[dash + 2]));
    mount.super_options = xstrdup(fields[dash + 3]);
    *ret = mount;
    return true;
}

bool mountinfo_next(const char **text, struct mount *ret)
{
    while (**text) {
        size_t n = strcspn(*text, "\n");
        _cleanup_free_ char *line = xstrndup(*text, n);
        *text += n + ((*text)[n] == '\n');
        if (parse_line(line, ret))
            return true;
    }
    return false;
}

void mount_clear(struct mount *mount)
{
    free(mount->root);
    free(mount->mount_point);
    free(mount->type);
    free(mount->source);
    free(mount->super_options);
    *mount = (struct mount){.id = -1};
}

int mountinfo_find(const char *text, int64_t id, struct mount *ret)
{
    struct mount mount;
    while (mountinfo_next(&text, &mount)) {
        if (mount.id == id) {
            *ret = mount;
            return 0;
        }
        mount_clear(&mount);
    }
    return -ENOENT;
}

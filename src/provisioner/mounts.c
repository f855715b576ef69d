/* Mount points below a directory; see mounts.h. */
#include "provisioner/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"

/* The kernel writes space, tab, newline and backslash as \ooo. Works in place. */
static void unescape(char *text)
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
}

/* The fifth field of a line (proc(5)), or NULL. The caller frees. */
static char *mount_point(const char *line)
{
    for (int i = 0; i < 4; i++) {
        line += strcspn(line, " \n");
        if (*line != ' ')
            return NULL;
        line++;
    }
    char *point = xstrndup(line, strcspn(line, " \n"));
    unescape(point);
    return point;
}

char *mounts_find_below(const char *mountinfo, const char *path)
{
    for (const char *line = mountinfo; *line;) {
        _cleanup_free_ char *point = mount_point(line);
        const char *rest = point ? after_prefix(point, path) : NULL;
        if (rest && (*rest == '\0' || *rest == '/'))
            return TAKE_PTR(point);
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
    return NULL;
}

int mounts_check_none(int dir, const char *name, struct error *e)
{
    char link[64], place[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
    ssize_t n = readlink(link, place, sizeof place - 1);
    if (n < 0)
        return error_os(e, errno, "cannot find the path of '%s'", name);
    place[n] = '\0';
    _cleanup_free_ char *path = xasprintf("%s/%s", place, name), *text = NULL;
    int r = read_file_at(AT_FDCWD, "/proc/self/mountinfo", (size_t)64 << 20, &text, NULL, e);
    if (r < 0)
        return r;
    _cleanup_free_ char *point = mounts_find_below(text, path);
    if (point)
        return error_refuse(e, EXDEV, "'%s' is a mount point: unmount it first; nothing was removed", point);
    return 0;
}

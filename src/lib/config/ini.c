/* Implements ini.h. */
#include "lib/config/ini.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"

/* libinih 55 reads lines into 200 bytes and parses the rest of a longer line as a line of its own. */
#define LINE_MAX_BYTES 190

struct reader {
    const char *path, *at;
    unsigned line;
    ini_value_fn on_value;
    void *userdata;
    struct error *e;
    int result;
};

/* Gives libinih one line at a time, so that the handler knows the line number, and refuses lines that
 * libinih would misread. */
static char *read_line(char *out, int size, void *stream)
{
    struct reader *r = stream;
    if (!*r->at || r->result < 0)
        return NULL;
    size_t n = strcspn(r->at, "\n");
    r->line++;
    if (n > LINE_MAX_BYTES || n + 2 > (size_t)size) {
        r->result = error_refuse(r->e, EINVAL, "%s:%u: the line is longer than %d bytes", r->path, r->line,
                                 LINE_MAX_BYTES);
        return NULL;
    }
    if (n > 0 && isspace((unsigned char)r->at[0]) && strspn(r->at, " \t\r") < n) {
        r->result = error_refuse(r->e, EINVAL, "%s:%u: a line must not begin with a space", r->path, r->line);
        return NULL;
    }
    memcpy(out, r->at, n);
    out[n] = '\n';
    out[n + 1] = '\0';
    r->at += n + (r->at[n] == '\n');
    return out;
}

static int on_value(void *user, const char *section, const char *name, const char *value)
{
    struct reader *r = user;
    if (r->result < 0)
        return 0;
    if (!*section)
        r->result = error_refuse(r->e, EINVAL, "%s:%u: '%s' is in no section", r->path, r->line, name);
    else
        r->result = r->on_value(section, name, value, r->line, r->userdata, r->e);
    return r->result >= 0;
}

int ini_read(const char *path, ini_value_fn handler, void *userdata, struct error *e)
{
    _cleanup_free_ char *text = NULL;
    size_t size;
    int r = read_file_at(AT_FDCWD, path, 1 << 20, &text, &size, e);
    if (r < 0)
        return r;
    if (strlen(text) != size)
        return error_refuse(e, EINVAL, "'%s' contains a NUL byte", path);
    return ini_read_text(path, text, handler, userdata, e);
}

int ini_read_text(const char *path, const char *text, ini_value_fn handler, void *userdata, struct error *e)
{
    struct reader reader = {.path = path, .at = text, .on_value = handler, .userdata = userdata, .e = e};
    int line = ini_parse_stream(read_line, &reader, on_value, &reader);
    if (reader.result < 0)
        return reader.result;
    if (line > 0)
        return error_refuse(e, EINVAL, "%s:%d: expected [section] or key = value", path, line);
    return 0;
}

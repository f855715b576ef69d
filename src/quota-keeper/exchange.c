/* Implements exchange.h. */
#include "quota-keeper/exchange.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/failpoint.h"
#include "lib/basic/fs.h"
#include "lib/basic/hash.h"
#include "quota-keeper/projects.h"

#define ROUNDS   20
#define TEXT_MAX ((size_t)64 << 20) /* bytes */

struct text {
    char *data;
    size_t size;
    mode_t mode;
    uid_t uid;
    gid_t gid;
    bool missing;
};

static void text_clear(struct text *t)
{
    free(t->data);
    *t = (struct text){.data = NULL};
}

static uint64_t hash(const struct text *t)
{
    return fnv1a(FNV1A_BEGIN, t->data, t->size);
}

static bool same(const struct text *a, const struct text *b)
{
    return a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}

static int read_text(int dir, const char *name, struct text *ret, struct error *e)
{
    struct stat st;
    struct error why = ERROR_INIT;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT) {
        *ret = (struct text){.data = xstrdup(""), .mode = 0644, .missing = true};
        return 0;
    }
    struct text t = {.mode = st.st_mode & 07777, .uid = st.st_uid, .gid = st.st_gid};
    int r = read_file_at(dir, name, TEXT_MAX, &t.data, &t.size, &why);
    if (r < 0) {
        if (e)
            *e = why;
        return r;
    }
    *ret = t;
    return 0;
}

static char *writing_name(const char *name)
{
    return xasprintf(".%s.hostlet-writing", name);
}

static int remove_writing(int dir, const char *name, struct error *e)
{
    _cleanup_free_ char *writing = writing_name(name);
    if (unlinkat(dir, writing, 0) < 0 && errno != ENOENT)
        return error_os(e, errno, "cannot remove '%s'", writing);
    return 0;
}

static int write_staged(int dir, const char *name, const char *staged, const struct text *t, struct error *e)
{
    _cleanup_free_ char *writing = writing_name(name);
    int r = remove_writing(dir, name, e);
    if (r < 0)
        return r;
    _cleanup_close_ int fd = openat(dir, writing, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_os(e, errno, "cannot create '%s'", writing);
    r = write_all(fd, t->data, t->size);
    if (r < 0)
        return error_os(e, -r, "cannot write '%s'", writing);
    /* Without CAP_CHOWN an owner other than root is not kept; the mode, and so who can read the file,
     * stays. */
    if ((t->uid != geteuid() || t->gid != getegid()) && fchown(fd, t->uid, t->gid) < 0 && errno != EPERM)
        return error_os(e, errno, "cannot change the owner of '%s'", writing);
    if (fchmod(fd, t->mode) < 0 || fsync(fd) < 0 || renameat(dir, writing, dir, staged) < 0)
        return error_os(e, errno, "cannot finish '%s'", writing);
    return failpoint_error("projects.staged", e);
}

static bool parse_staged(const char *entry, const char *name, uint64_t *ret_read, uint64_t *ret_new)
{
    _cleanup_free_ char *prefix = xasprintf(".%s.hostlet-", name);
    const char *rest = after_prefix(entry, prefix);
    int end = 0;
    return rest && sscanf(rest, "%16" SCNx64 "-%16" SCNx64 "%n", ret_read, ret_new, &end) == 2 && end == 33 &&
           !rest[end];
}

/* Examines a staged file that a killed process left. If it contains another program's edit that is not in
 * the file, *pending becomes the text that includes it. */
static int look_at_staged(int dir, const char *name, const char *entry, const struct text *file,
                          struct text *pending, struct error *e)
{
    _cleanup_(text_clear) struct text staged = {.data = NULL};
    uint64_t was_read, was_new;
    if (!parse_staged(entry, name, &was_read, &was_new))
        return 0;
    int r = read_text(dir, entry, &staged, e);
    if (r < 0)
        return r;
    uint64_t is = hash(&staged);
    if (is == was_read || is == was_new) /* the exchange did not happen, or no other program wrote */
        return 0;
    struct text more = staged;
    if (pending->data || hash(file) != was_new)
        more.data = projects_union(pending->data ?: file->data, pending->data ? pending->size : file->size,
                                   staged.data, staged.size, &more.size);
    else
        staged.data = NULL;
    free(pending->data);
    *pending = more;
    return 0;
}

static int for_staged(int dir, const char *name, bool remove, const struct text *file, struct text *pending,
                      struct error *e)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
    _cleanup_closedir_ DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        int errnum = errno;
        close_fd(fd);
        return error_os(e, errnum, "cannot read the directory of '%s'", name);
    }
    for (struct dirent *entry; r >= 0 && (entry = readdir(d));) {
        uint64_t was_read, was_new;
        if (!parse_staged(entry->d_name, name, &was_read, &was_new))
            continue;
        if (!remove)
            r = look_at_staged(dir, name, entry->d_name, file, pending, e);
        else if (unlinkat(dir, entry->d_name, 0) < 0 && errno != ENOENT)
            r = error_os(e, errno, "cannot remove '%s'", entry->d_name);
    }
    return r;
}

/* Exchanges the file once. Returns 1 when the new text is in place, and 0 if another program wrote
 * meanwhile: then *base is the text to merge next, and *in_file the present content. */
static int exchange_once(int dir, const char *name, struct text *in_file, struct text *base, struct text *new,
                         struct error *e)
{
    _cleanup_(text_clear) struct text out = {.data = NULL};
    _cleanup_free_ char *staged =
        xasprintf(".%s.hostlet-%016" PRIx64 "-%016" PRIx64, name, hash(in_file), hash(new));
    int r = write_staged(dir, name, staged, new, e);
    if (r < 0)
        return r;
    unsigned how = in_file->missing ? RENAME_NOREPLACE : RENAME_EXCHANGE;
    if (renameat2(dir, staged, dir, name, how) < 0) {
        int errnum = errno;
        unlinkat(dir, staged, 0);
        if (errnum != EEXIST && errnum != ENOENT)
            return error_os(e, errnum, "cannot exchange '%s'", name);
        text_clear(in_file); /* the file was created or removed meanwhile: start with what exists now */
        r = read_text(dir, name, in_file, e);
        if (r < 0)
            return r;
        char *again = xcalloc(in_file->size + 1, 1);
        memcpy(again, in_file->data, in_file->size);
        text_clear(base);
        *base = *in_file;
        base->data = again;
        return 0;
    }
    if (failpoint("projects.exchanged") < 0)
        return error_fail(e, EIO, "failpoint projects.exchanged");
    if (in_file->missing)
        return 1;
    r = read_text(dir, staged, &out, e);
    if (r < 0)
        return r;
    if (same(&out, in_file))
        return 1;
    if (!same(base, in_file)) { /* a second edit, which lacks the first one */
        size_t size;
        char *both = projects_union(out.data, out.size, base->data, base->size, &size);
        free(out.data);
        out.data = both;
        out.size = size;
    }
    text_clear(base);
    *base = out;
    out.data = NULL;
    text_clear(in_file);
    *in_file = *new;
    new->data = NULL;
    return 0;
}

int exchange_file(int dir, const char *name, exchange_merge_fn merge, void *userdata, struct error *e)
{
    _cleanup_(text_clear) struct text in_file = {.data = NULL}, base = {.data = NULL};
    int r = read_text(dir, name, &in_file, e);
    if (r >= 0)
        r = for_staged(dir, name, false, &in_file, &base, e);
    if (r < 0)
        return r;
    if (!base.data) {
        base = in_file;
        base.data = xcalloc(in_file.size + 1, 1);
        memcpy(base.data, in_file.data, in_file.size);
    }
    for (int i = 0; i < ROUNDS; i++) {
        _cleanup_(text_clear) struct text new = in_file;
        new.data = merge(base.data, base.size, userdata, &new.size);
        new.missing = false;
        r = same(&new, &in_file) ? 1 : exchange_once(dir, name, &in_file, &base, &new, e);
        if (r < 0)
            return r;
        if (r > 0) {
            r = failpoint_error("projects.merged", e);
            if (r >= 0)
                r = for_staged(dir, name, true, NULL, NULL, e);
            /* A previous process can have been killed while it wrote, also if this one had nothing to
             * write. */
            return r < 0 ? r : remove_writing(dir, name, e);
        }
    }
    return error_retry(e, EAGAIN, "other programs keep changing '%s'", name);
}

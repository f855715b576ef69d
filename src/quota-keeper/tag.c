/* Implements tag.h. */
#include "quota-keeper/tag.h"

#include <errno.h>

#include "lib/basic/failpoint.h"
#include "quota-keeper/walk.h"

#define ROUNDS 10

struct tagging {
    const struct kernel *kernel;
    const struct tag_options *options;
    uint32_t project;
    bool look_only;
    int64_t visited;
    struct tag_result result;
};

static struct kernel_tag wanted(const struct tagging *t, bool directory)
{
    return (struct kernel_tag){t->project, directory && t->project != 0};
}

/* Writes the project of one file. The tenant can write at the same time, so the limits are lifted no
 * longer than this one file needs. */
static int write_tag(struct tagging *t, int fd, const struct kernel_tag *tag)
{
    const struct kernel *k = t->kernel;
    const struct kernel_limits none = {0, 0, 0, 0};
    int r = k->write_tag(k, fd, tag);
    if ((r != -EDQUOT && r != -ENOSPC) || !t->options->limits)
        return r;
    r = k->set(k, fd, t->project, &none);
    if (r < 0)
        return r;
    r = k->write_tag(k, fd, tag);
    int again = k->set(k, fd, t->project, t->options->limits);
    return r < 0 ? r : again;
}

/* Reports whether a file carries a project that is neither 0 nor its directory's. */
static bool is_stray(const struct tagging *t, const struct kernel_tag *is)
{
    return t->options->strays && is->project != 0 && is->project != t->project;
}

static int tag_one(struct tagging *t, int fd, bool directory, const struct stat *st)
{
    struct kernel_tag is, shall = wanted(t, directory);
    int r = t->kernel->read_tag(t->kernel, fd, &is);
    if (r < 0)
        return r;
    bool right = is.project == shall.project && (!directory || is.inherit == shall.inherit);
    if (!right && t->look_only) {
        if (is_stray(t, &is))
            strays_add(t->options->strays, is.project, fd, st);
        else
            t->result.skipped++;
        t->result.entries += is.project == shall.project;
        return 0;
    }
    if (!right) {
        r = write_tag(t, fd, &shall);
        if (r < 0)
            return r;
        t->result.changed++;
        if (failpoint("tag.entry") < 0)
            return -EIO;
        if (is_stray(t, &is))
            strays_add(t->options->strays, is.project, fd, st);
    }
    t->result.entries++;
    return 0;
}

/* Reports whether an error is one that a tenant can cause for a file of its own. Such a file is counted
 * and does not fail the whole walk. */
static bool is_theirs(int r)
{
    return r == -ENOENT || r == -ELOOP || r == -EAGAIN || r == -ETXTBSY || r == -EPERM || r == -EACCES ||
           r == -ENXIO || r == -EINTR || r == WALK_ANOTHER_FS;
}

static int visit(void *userdata, int fd, const struct stat *st)
{
    struct tagging *t = userdata;
    int64_t before = t->result.entries;
    bool directory = S_ISDIR(st->st_mode);
    if (t->options->entries_max && ++t->visited > t->options->entries_max)
        return -E2BIG;
    if (fd == -ENOTSUP) {
        t->result.unseen++;
        return 0;
    }
    int r = fd < 0 ? fd : tag_one(t, fd, directory, st);
    if (is_theirs(r))
        t->result.skipped += r != -ENOENT;
    else if (r < 0)
        return r;
    else if (!directory && st->st_nlink > 1) { /* its other names will be visited, too */
        t->result.unseen += t->result.entries - before;
        t->result.entries = before;
    }
    return t->options->strays && t->options->strays->enough ? -ECANCELED : 0;
}

static int walk_once(struct tagging *t, int top)
{
    t->result = (struct tag_result){0};
    if (t->options->strays && t->look_only)
        strays_clear(t->options->strays); /* the walk starts again and finds them again */
    int r = walk_below(top, WALK_WINDOW, visit, t);
    if (r >= 0 && failpoint("tag.contents") < 0)
        r = -EIO;
    return r < 0 ? r : tag_one(t, top, true, NULL);
}

static int run(struct tagging *t, int fd, struct tag_result *ret, struct error *e)
{
    static const struct tag_options plain = {.strays = NULL};
    int64_t changed = 0;
    int r = WALK_MOVED;
    t->options = t->options ?: &plain;
    for (int i = 0; i < ROUNDS && r == WALK_MOVED; i++) {
        r = walk_once(t, fd);
        changed += t->result.changed;
    }
    if (r >= 0) {
        *ret = t->result;
        ret->changed = changed;
    }
    if (r == WALK_MOVED)
        return error_retry(e, EAGAIN, "the application keeps moving its directories");
    return r < 0 ? error_os(e, -r, "cannot give its files project %u", t->project) : 0;
}

int tag_tree(const struct kernel *kernel, int fd, uint32_t project, const struct tag_options *options,
             struct tag_result *ret, struct error *e)
{
    struct tagging t = {.kernel = kernel, .project = project, .options = options};
    return run(&t, fd, ret, e);
}

int tag_count(const struct kernel *kernel, int fd, uint32_t project, const struct tag_options *options,
              struct tag_result *ret, struct error *e)
{
    struct tagging t = {.kernel = kernel, .project = project, .options = options, .look_only = true};
    return run(&t, fd, ret, e);
}

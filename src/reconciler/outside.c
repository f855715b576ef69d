/* Implements outside.h. */
#include "reconciler/outside.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/basic/log.h"

static int read_path(struct outside *outside, const char *path, size_t max, char **ret, size_t *ret_size,
                     struct error *e)
{
    (void)outside;
    return read_file_at(AT_FDCWD, path, max, ret, ret_size, e);
}

static int write_path(struct outside *outside, const char *path, size_t max, const char *text, size_t size,
                      struct error *e)
{
    (void)outside;
    return replace_file_within(path, max, text, size, 0600, e);
}

static void remove_path(struct outside *outside, const char *path)
{
    (void)outside;
    if (unlink(path) < 0 && errno != ENOENT)
        log_warning("cannot remove '%s': %m", path);
    const char *slash = strrchr(path, '/');
    _cleanup_free_ char *directory = xstrndup(path, slash ? (size_t)(slash - path) : 0);
    _cleanup_close_ int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && fsync(fd) < 0)
        log_warning("cannot sync '%s': %m", directory);
}

static int keep_path_aside(struct outside *outside, const char *path, struct error *e)
{
    (void)outside;
    return keep_aside(path, e);
}

static int make_directory(struct outside *outside, const char *path, struct error *e)
{
    (void)outside;
    return mkdir(path, 0700) < 0 && errno != EEXIST ? error_os(e, errno, "cannot make directory '%s'", path)
                                                    : 0;
}

static int list(struct outside *outside, const char *path, void (*each)(void *userdata, const char *name),
                void *userdata, struct error *e)
{
    (void)outside;
    _cleanup_close_ int fd = open_dir_at(AT_FDCWD, path, e);
    if (fd < 0)
        return fd;
    int listing = dup(fd);
    _cleanup_closedir_ DIR *dir = listing < 0 ? NULL : fdopendir(listing);
    if (!dir)
        return error_os(e, errno, "cannot read directory '%s'", path);
    for (struct dirent *d; (d = readdir(dir));) {
        if (d->d_name[0] == '.' && has_suffix(d->d_name, ".tmp"))
            unlinkat(fd, d->d_name, 0); /* the rest of an interrupted write */
        else if (d->d_name[0] != '.' && has_suffix(d->d_name, ".json"))
            each(userdata, d->d_name);
    }
    return 0;
}

static struct varlink_request *call(struct outside *outside, const struct varlink_call_options *options,
                                    varlink_answer_fn on_answer, void *userdata)
{
    return varlink_call_start(((struct process_outside *)outside)->event, options, on_answer, userdata);
}

static void cancel(struct outside *outside, struct varlink_request *request)
{
    (void)outside;
    varlink_request_cancel(request);
}

void process_outside_init(struct process_outside *p, sd_event *event)
{
    *p = (struct process_outside){.outside = {.clock = &p->clock,
                                              .read = read_path,
                                              .write = write_path,
                                              .remove = remove_path,
                                              .keep_aside = keep_path_aside,
                                              .make_directory = make_directory,
                                              .list = list,
                                              .call = call,
                                              .cancel = cancel},
                                  .event = event};
    clock_init(&p->clock, event);
}

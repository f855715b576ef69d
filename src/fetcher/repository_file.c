/* Implements repository_file.h: reads index.json, or without it the headers of the packages, in a thread. */
#include "fetcher/repository_file.h"

#include <errno.h>
#include <fcntl.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/basic/log.h"
#include "lib/package/index_scan.h"

/* One load, which first its thread and then the loop uses. */
struct file_load {
    struct repository_load load; /* the first member */
    char *path;
    struct package_index *index;
    unsigned skipped;
    char *skipped_why;
    struct error error;
};

static void on_skipped(void *userdata, const struct error *why)
{
    struct file_load *load = userdata;
    if (load->skipped++ == 0)
        load->skipped_why = xstrdup(why->message);
}

static int read_directory(struct file_load *load, struct error *e)
{
    _cleanup_close_ int fd = open_dir_at(AT_FDCWD, load->path, e);
    /* The directory can be on a file system that is not mounted yet, so the error may pass. */
    if (fd < 0)
        return error_retry(e, -fd, "cannot open directory '%s': %s", load->path, strerrordesc_np(-fd));
    _cleanup_free_ char *text = NULL;
    size_t size;
    int r = read_file_at(fd, "index.json", PACKAGE_INDEX_MAX, &text, &size, e);
    if (r == -ENOENT)
        return package_index_scan(fd, PACKAGE_SCAN_HEADERS, on_skipped, load, &load->index, e);
    return r < 0 ? r : package_index_parse(text, size, &load->index, e);
}

static void load_run(struct work *work)
{
    struct file_load *load = (struct file_load *)work;
    int r = read_directory(load, &load->error);
    if (r >= 0)
        r = index_check(load->index, &load->error);
    if (r < 0) {
        package_index_free(load->index);
        load->index = NULL;
        if (load->error.class == ERROR_REFUSED)
            /* The error is not about the caller's request. */
            load->error.class = ERROR_FAILED;
    }
}

static void load_loaded(struct file_load *load, struct repository *r)
{
    r->load = NULL;
    free(r->skipped_why);
    r->skipped_why = TAKE_PTR(load->skipped_why);
    r->skipped = load->skipped;
    if (r->skipped)
        log_warning("repository %s: %u files left out; the first: %s", r->name, r->skipped, r->skipped_why);
    if (!load->index)
        error_prefix(&load->error, "repository %s", r->name);
    repository_loaded(r, TAKE_PTR(load->index), &load->error);
}

static void load_free(struct work *work)
{
    struct file_load *load = (struct file_load *)work;
    package_index_free(load->index);
    free(load->path);
    free(load->skipped_why);
    free(load);
}

static void load_done(struct work *work)
{
    struct file_load *load = (struct file_load *)work;
    if (load->load.repository)
        load_loaded(load, load->load.repository);
    load_free(work);
}

void repository_load_file(struct repository *r)
{
    struct file_load *load = xcalloc(1, sizeof *load);
    load->load.work = (struct work){.run = load_run, .done = load_done, .drop = load_free};
    load->load.repository = r;
    load->path = xstrdup(r->path);
    r->load = &load->load;
    workers_add(r->fetcher->workers, &load->load.work);
}

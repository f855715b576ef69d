/* Implements extract.h. */
#include "unpacker/extract.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/failpoint.h"
#include "lib/package/entry.h"
#include "lib/package/id.h"
#include "lib/package/reader.h"
#include "unpacker/early_sync.h"
#include "unpacker/staging.h"
#include "unpacker/tree.h"

/* The free space is checked after this many written bytes or entries. */
#define SPACE_INTERVAL   (UINT64_C(16) << 20)
#define ENTRIES_INTERVAL 256
/* For packages of at least this many bytes, a sync starts when four fifths of them are read. */
#define EARLY_SYNC_FROM (UINT64_C(4) << 20)

const char *const unpacker_failpoints[] = {
    "unpack.staged",  "unpack.entry", "unpack.extracted", "unpack.synced", "unpack.before_rename",
    "unpack.renamed", NULL,
};

struct extraction {
    const struct extract_request *request;
    struct extract_progress *progress;
    struct package_reader *reader;
    struct tree *tree;
    struct staging staging;
    struct early_sync early;
    uint64_t size, entries;
    uint64_t unchecked; /* bytes written since the free space was checked */
};

static int check_space(struct extraction *x, uint64_t more, struct error *e)
{
    struct statvfs fs;
    if (fstatvfs(x->staging.root, &fs) < 0)
        return error_os(e, errno, "cannot read the free space");
    uint64_t unused = (uint64_t)fs.f_bavail * fs.f_frsize, keep = x->request->limits.free_space;
    x->unchecked = 0;
    if (unused < keep || unused - keep < more)
        return error_retry(
            e, ENOSPC,
            "the filesystem has %llu MiB left, of which %llu are to stay free: package '%s' does not fit",
            (unsigned long long)(unused >> 20), (unsigned long long)(keep >> 20), x->request->id);
    /* File systems that allocate inodes on demand (btrfs) report no number of inodes. */
    keep = x->request->limits.free_files;
    if (fs.f_files > 0 && fs.f_favail < keep)
        return error_retry(
            e, ENOSPC,
            "the filesystem has room for %llu more files (inodes), and %llu are to stay free: package "
            "'%s' does not fit",
            (unsigned long long)fs.f_favail, (unsigned long long)keep, x->request->id);
    return 0;
}

static void tell_progress(struct extraction *x)
{
    uint64_t done = package_reader_bytes_read(x->reader), total = package_reader_bytes_total(x->reader);
    atomic_store_explicit(&x->progress->entries, x->entries, memory_order_relaxed);
    atomic_store_explicit(&x->progress->bytes_read, done, memory_order_relaxed);
    if (total >= EARLY_SYNC_FROM && done >= total - total / 5)
        early_sync_start(&x->early, x->staging.root);
}

static int write_at(int fd, const void *data, size_t size, uint64_t offset)
{
    const char *at = data;
    while (size > 0) {
        ssize_t n = pwrite(fd, at, size, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        at += n;
        offset += (uint64_t)n;
        size -= (size_t)n;
    }
    return 0;
}

static int write_failed(const char *entry, int errnum, struct error *e)
{
    _cleanup_free_ char *name = entry_printable(entry);
    return error_os(e, errnum, "entry '%s' cannot be written", name);
}

static int write_data(struct extraction *x, int fd, const struct package_entry *entry, struct error *e)
{
    const void *data;
    size_t size;
    uint64_t offset, end = 0;
    int r;
    while ((r = package_reader_data(x->reader, &data, &size, &offset, e)) > 0) {
        int q = write_at(fd, data, size, offset);
        if (q < 0)
            return write_failed(entry->name, -q, e);
        if (offset + size > end)
            end = offset + size;
        x->unchecked += size;
        if (x->unchecked >= SPACE_INTERVAL && (q = check_space(x, 0, e)) < 0)
            return q;
        tell_progress(x);
        if (atomic_load_explicit(&x->progress->cancel, memory_order_relaxed))
            return error_retry(e, ECANCELED, "cancelled");
    }
    if (r < 0)
        return r;
    /* A sparse entry can end with a hole, which no data block covers. */
    if (end < entry->size && ftruncate(fd, (off_t)entry->size) < 0)
        return write_failed(entry->name, errno, e);
    x->size += entry->size;
    return 0;
}

static int write_file(struct extraction *x, const struct package_entry *entry, struct error *e)
{
    int fd = -1;
    int r = entry->size >= SPACE_INTERVAL ? check_space(x, entry->size, e) : 0;
    if (r >= 0)
        r = tree_begin_file(x->tree, entry->name, &fd, e);
    if (r < 0)
        return r;
    r = write_data(x, fd, entry, e);
    if (r < 0) {
        close_fd(fd);
        return r;
    }
    return tree_end_file(fd, entry->name, entry->mode, entry->modified, e);
}

static int write_entry(struct extraction *x, const struct package_entry *entry, struct error *e)
{
    switch (entry->type) {
    case ENTRY_DIRECTORY:
        return tree_add_directory(x->tree, entry->name, entry->mode, entry->modified, e);
    case ENTRY_SYMLINK:
        return tree_add_symlink(x->tree, entry->name, entry->target, entry->modified, e);
    default:
        return write_file(x, entry, e);
    }
}

static int write_entries(struct extraction *x, struct error *e)
{
    struct package_entry entry;
    int r;
    while ((r = package_reader_next(x->reader, &entry, e)) > 0) {
        /* An entry can be refused because the package is damaged. The error then names the entry instead of
         * the damage; nothing is published in either case. */
        r = write_entry(x, &entry, e);
        if (r < 0)
            return r;
        x->entries++;
        tell_progress(x);
        if (x->entries % ENTRIES_INTERVAL == 0 && (r = check_space(x, 0, e)) < 0)
            return r;
        if (atomic_load_explicit(&x->progress->cancel, memory_order_relaxed))
            return error_retry(e, ECANCELED, "cancelled");
        r = failpoint_error("unpack.entry", e);
        if (r < 0)
            return r;
    }
    return r;
}

static int fill(struct extraction *x, struct error *e)
{
    int r = check_space(x, 0, e);
    if (r >= 0)
        r = failpoint_error("unpack.staged", e);
    if (r >= 0)
        r = write_entries(x, e);
    if (r >= 0)
        r = tree_finish(x->tree, e);
    if (r >= 0)
        r = failpoint_error("unpack.extracted", e);
    if (r < 0)
        return r;
    /* A single sync of the file system is some thirty times faster than one per file for a package of
     * thousands of files. */
    r = early_sync_finish(&x->early);
    if (syncfs(x->staging.root) < 0)
        r = -errno;
    if (r < 0)
        return error_os(e, -r, "cannot sync package '%s'", x->request->id);
    return failpoint_error("unpack.synced", e);
}

static int finish(struct extraction *x, struct extract_result *ret, struct error *e)
{
    _cleanup_free_ char *key = package_key(x->request->name, x->request->id);
    int r = failpoint_error("unpack.before_rename", e);
    if (r >= 0)
        r = staging_finish(&x->staging, key, e);
    /* Another process staged the same package first, which is as good. */
    if (r == -EEXIST && x->staging.name) {
        *ret = (struct extract_result){.existed = true};
        return 0;
    }
    if (r >= 0)
        r = failpoint_error("unpack.renamed", e);
    if (r >= 0)
        *ret = (struct extract_result){.size = x->size, .entries = x->entries};
    return r;
}

static int check_identity(const struct extraction *x, struct error *e)
{
    const struct package *p = package_reader_package(x->reader);
    if (!streq(p->id, x->request->id) || !streq(p->name, x->request->name))
        return error_refuse(e, EBADMSG, "the file contains package '%s' of '%s', not '%s' of '%s'", p->id,
                            p->name, x->request->id, x->request->name);
    /* The reader checks the data against the checksum in the header, so it is enough to compare the expected
     * checksum with the header's. */
    const char *wanted = x->request->checksum ? after_prefix(x->request->checksum, "sha256:") : p->sha256;
    if (!wanted || !streq(wanted, p->sha256))
        return error_refuse(e, EBADMSG, "the file's data block has the checksum sha256:%s, not %.80s",
                            p->sha256, x->request->checksum);
    return 0;
}

static int extract(struct extraction *x, struct extract_result *ret, struct error *e)
{
    int r = check_identity(x, e);
    if (r >= 0)
        r = staging_create(x->request->staging, x->request->id, &x->staging, e);
    if (r < 0)
        return r;
    x->tree = tree_new(x->staging.root);
    r = fill(x, e);
    return r < 0 ? r : finish(x, ret, e);
}

int extract_exists(const struct extract_request *request, bool *ret_published, struct error *e)
{
    _cleanup_free_ char *path = xasprintf("%s/%s", request->name, request->id);
    _cleanup_free_ char *key = package_key(request->name, request->id);
    int published = staging_exists(request->store, path, e);
    int r = published != 0 ? published : staging_exists(request->staging, key, e);
    if (r > 0)
        *ret_published = published > 0;
    return r;
}

int extract_package(const struct extract_request *request, struct extract_progress *progress,
                    struct extract_result *ret, struct error *e)
{
    bool published;
    int r = extract_exists(request, &published, e);
    if (r < 0)
        return r;
    if (r > 0) {
        *ret = (struct extract_result){.existed = true, .published = published};
        return 0;
    }
    _cleanup_free_ char *what = xasprintf("package '%s'", request->id);
    struct source_options options = {what, &request->limits, &progress->cancel, request->threads};
    struct extraction x = {.request = request, .progress = progress, .staging = STAGING_INIT};
    r = package_reader_open(request->package_fd, &options, &x.reader, e);
    if (r >= 0) {
        atomic_store(&progress->bytes_total, package_reader_bytes_total(x.reader));
        r = extract(&x, ret, e);
    }
    (void)early_sync_finish(&x.early);
    tree_free(x.tree);
    package_reader_close(x.reader);
    staging_clear(&x.staging);
    if (r < 0 && e && !strstr(e->message, what)) {
        error_prefix(e, "%s", what);
    }
    return r;
}

/* Implements reader.h. */
#include "lib/package/reader.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <sys/stat.h>

#include "lib/basic/cleanup.h"
#include "lib/package/entry.h"
#include "lib/package/utf8.h"

#define TAR_END_SIZE 1024 /* two blocks of zeros */

struct package_reader {
    struct source_options options;
    struct package *package;
    struct source *source;
    uint64_t size; /* of the data block in bytes */
    struct archive *archive;
    locale_t utf8;
    char *name; /* of the current entry, normalised */
    uint64_t entries, files_size, entry_size;
    int failure; /* of the source, as the read callback received it */
    struct error error;
};

static ssize_t read_chunk(struct archive *a, void *userdata, const void **ret)
{
    (void)a;
    struct package_reader *r = userdata;
    size_t size = 0;
    int got = source_next(r->source, ret, &size, &r->error);
    if (got < 0) {
        r->failure = got;
        return -1;
    }
    return got == 0 ? 0 : (ssize_t)size;
}

struct package_reader *package_reader_close(struct package_reader *r)
{
    if (!r)
        return NULL;
    if (r->archive)
        archive_read_free(r->archive);
    source_free(r->source);
    package_free(r->package);
    free(r->name);
    free(r);
    return NULL;
}

static int archive_failed(struct package_reader *r, const char *doing, struct error *e)
{
    if (r->failure < 0) {
        if (e)
            *e = r->error;
        return r->failure;
    }
    const char *why = archive_error_string(r->archive);
    error_refuse(e, EBADMSG, "%s: %s: %s", r->options.what, doing, why ?: "not a tar archive");
    source_explain(r->source, e);
    return -EBADMSG;
}

/* Refuses the package because of the current entry. */
static int refuse(struct package_reader *r, const char *why, struct error *e)
{
    _cleanup_free_ char *name = entry_printable(r->name ?: "");
    error_refuse(e, EBADMSG, "%s: entry '%s' %s", r->options.what, *name ? name : ".", why);
    source_explain(r->source, e);
    return -EBADMSG;
}

int package_reader_open(int fd, const struct source_options *options, struct package_reader **ret,
                        struct error *e)
{
    _cleanup_(cleanup_package_reader_close) struct package_reader *r = xcalloc(1, sizeof *r);
    r->options = *options;
    uint64_t offset;
    int q = utf8_locale(&r->utf8, e);
    if (q >= 0)
        q = package_header_read(fd, options->what, &r->package, &offset, &r->size, e);
    if (q >= 0)
        q = source_start(fd, offset, r->size, r->package, &r->options, &r->source, e);
    if (q < 0)
        return q;
    r->archive = archive_read_new();
    if (!r->archive || archive_read_support_format_tar(r->archive) != ARCHIVE_OK)
        return error_os(e, ENOMEM, "cannot read archives");
    if (archive_read_open(r->archive, r, NULL, read_chunk, NULL) != ARCHIVE_OK)
        return archive_failed(r, "cannot read the archive", e);
    *ret = TAKE_PTR(r);
    return 0;
}

const struct package *package_reader_package(const struct package_reader *r)
{
    return r->package;
}

uint64_t package_reader_bytes_read(const struct package_reader *r)
{
    return source_bytes_read(r->source);
}

uint64_t package_reader_bytes_total(const struct package_reader *r)
{
    return r->size;
}

/* Checks that the archive has entries, ends with its end mark and is followed only by zeros: libarchive
 * accepts an archive without entries or end mark and ignores the rest. */
static int finish(struct package_reader *r, struct error *e)
{
    uint64_t mark = (uint64_t)archive_read_header_position(r->archive);
    const void *data;
    size_t size;
    int q;
    do
        q = source_next(r->source, &data, &size, e);
    while (q > 0);
    if (q < 0)
        return q;
    if (source_zeros_from(r->source) > mark)
        return error_refuse(e, EBADMSG, "%s has trailing data after the end of its archive", r->options.what);
    if (source_bytes_decoded(r->source) < mark + TAR_END_SIZE)
        return error_refuse(e, EBADMSG, "%s is truncated: its archive has no end mark", r->options.what);
    if (r->entries == 0)
        return error_refuse(e, EBADMSG, "%s is empty: its archive has no entries", r->options.what);
    return 0;
}

static int take_type(struct package_reader *r, struct archive_entry *entry, struct package_entry *ret,
                     struct error *e)
{
    if (archive_entry_hardlink(entry) || archive_entry_hardlink_w(entry))
        return refuse(r, "is a hard link, which packages cannot contain", e);
    switch (archive_entry_filetype(entry)) {
    case AE_IFDIR:
        ret->type = ENTRY_DIRECTORY;
        return 0;
    case AE_IFREG:
        ret->type = ENTRY_FILE;
        break;
    case AE_IFLNK:
        ret->type = ENTRY_SYMLINK;
        ret->target = archive_entry_symlink(entry);
        if (!ret->target || !*ret->target)
            return refuse(r, "is a symbolic link with an empty target", e);
        if (strlen(ret->target) > r->options.limits->path)
            return refuse(r, "is a symbolic link whose target is too long", e);
        break;
    case AE_IFCHR:
    case AE_IFBLK:
        return refuse(r, "is a device, which packages cannot contain", e);
    case AE_IFIFO:
        return refuse(r, "is a fifo, which packages cannot contain", e);
    default:
        return refuse(r, "is neither a file, a directory nor a symbolic link", e);
    }
    return *r->name ? 0 : refuse(r, "is the package's root, but not a directory", e);
}

static int take_size(struct package_reader *r, struct archive_entry *entry, struct package_entry *ret,
                     struct error *e)
{
    if (ret->type != ENTRY_FILE)
        return 0;
    int64_t size = archive_entry_size(entry);
    if (size < 0)
        return refuse(r, "has a negative size", e);
    ret->size = (uint64_t)size;
    r->entry_size = ret->size;
    if (ret->size > r->options.limits->size || r->files_size + ret->size > r->options.limits->size)
        return refuse(r, "makes the package larger than is allowed", e);
    r->files_size += ret->size;
    return 0;
}

static int take_entry(struct package_reader *r, struct archive_entry *entry, struct package_entry *ret,
                      struct error *e)
{
    free(TAKE_PTR(r->name));
    *ret = (struct package_entry){0};
    const char *raw = archive_entry_pathname(entry);
    struct error why = ERROR_INIT;
    int q = entry_name_normalise(raw ?: "", r->options.limits, &r->name, &why);
    if (q < 0) {
        error_refuse(e, EBADMSG, "%s: %s", r->options.what, why.message);
        source_explain(r->source, e);
        return q;
    }
    if (++r->entries > r->options.limits->entries)
        return refuse(r, "exceeds the allowed number of entries", e);
    ret->name = r->name;
    ret->mode = archive_entry_perm(entry) & 0777;
    ret->modified = (struct timespec){archive_entry_mtime(entry), archive_entry_mtime_nsec(entry)};
    q = take_type(r, entry, ret, e);
    return q < 0 ? q : take_size(r, entry, ret, e);
}

int package_reader_next(struct package_reader *r, struct package_entry *ret, struct error *e)
{
    struct archive_entry *entry;
    locale_t before = uselocale(r->utf8);
    int q = archive_read_next_header(r->archive, &entry);
    if (q == ARCHIVE_EOF) {
        q = finish(r, e);
    } else if (q != ARCHIVE_OK) { /* also a warning: then libarchive's entry differs from the packed one */
        q = archive_failed(r, "cannot read the archive", e);
    } else {
        q = take_entry(r, entry, ret, e);
        q = q < 0 ? q : 1;
    }
    uselocale(before);
    return q;
}

int package_reader_data(struct package_reader *r, const void **ret, size_t *ret_size, uint64_t *ret_offset,
                        struct error *e)
{
    la_int64_t offset;
    int q = archive_read_data_block(r->archive, ret, ret_size, &offset);
    if (q == ARCHIVE_EOF)
        return 0;
    if (q != ARCHIVE_OK) {
        _cleanup_free_ char *name = entry_printable(r->name);
        _cleanup_free_ char *doing = xasprintf("cannot read entry '%s'", name);
        return archive_failed(r, doing, e);
    }
    if (offset < 0 || (uint64_t)offset > r->entry_size || *ret_size > r->entry_size - (uint64_t)offset)
        return refuse(r, "has data beyond its size", e);
    *ret_offset = (uint64_t)offset;
    return 1;
}

/* Implements build.h. */
#include "lib/package/build.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/package/data_block.h"
#include "lib/package/entry.h"
#include "lib/package/id.h"
#include "lib/package/limits.h"
#include "lib/package/utf8.h"
#include "lib/package/version.h"

#define DEFAULT_TIME   315532800 /* 1980-01-01 */
#define OWN_DIRECTORY  ".ipk"
#define TAR_BLOCK_SIZE (256 * 1024)
#define READ_SIZE      (256 * 1024)

struct build {
    const struct package_build_options *options;
    struct package *package;
    struct stat output; /* the output directory, which must not be packed */
    struct archive *archive;
    struct data_block *block;
    int failure; /* a failure of the write callback: a negative errno, with 'error' set */
    struct error error;
    unsigned hard_links, special_bits;
    int64_t time;
    char buffer[READ_SIZE];
};

static void note(const struct build *b, const char *message)
{
    if (b->options->note)
        b->options->note(b->options->userdata, message);
}

/* Writes to the data block. It never reports a failure to libarchive, which would leak its buffers:
 * callers check b->failure, and data after the first failure is dropped. */
static ssize_t write_block(struct archive *a, void *userdata, const void *data, size_t size)
{
    (void)a;
    struct build *b = userdata;
    if (b->failure >= 0)
        b->failure = data_block_write(b->block, data, size, &b->error);
    return (ssize_t)size;
}

static int archive_failed(struct build *b, const char *path, struct error *e)
{
    _cleanup_free_ char *name = entry_printable(path);
    if (b->failure < 0) {
        if (e)
            *e = b->error;
        return b->failure;
    }
    return error_refuse(e, EINVAL, "'%s' cannot be packed: %s", name,
                        archive_error_string(b->archive) ?: "unknown error");
}

static int entry_failed(const char *path, int errnum, const char *what, struct error *e)
{
    _cleanup_free_ char *name = entry_printable(path);
    return error_os(e, errnum, "cannot %s '%s'", what, name);
}

static void archive_entry_release(struct archive_entry *entry)
{
    archive_entry_free(entry);
}
DEFINE_CLEANUP(struct archive_entry *, archive_entry_release);

/* Writes an entry's header; 'path' is relative to the packed directory, which is ".". */
static int put_entry(struct build *b, const char *path, mode_t mode, uint64_t size, const char *target,
                     struct error *e)
{
    _cleanup_(cleanup_archive_entry_release) struct archive_entry *entry = archive_entry_new();
    if (!entry)
        return error_os(e, ENOMEM, "cannot pack");
    archive_entry_set_pathname(entry, path);
    archive_entry_set_filetype(entry, mode & S_IFMT);
    archive_entry_set_perm(entry, S_ISLNK(mode) ? 0777 : mode & 0777);
    archive_entry_set_size(entry, (la_int64_t)size);
    archive_entry_set_mtime(entry, b->time, 0);
    archive_entry_set_uid(entry, 0);
    archive_entry_set_gid(entry, 0);
    if (target)
        archive_entry_set_symlink(entry, target);
    if (!S_ISLNK(mode) && (mode & 07000))
        b->special_bits++;
    /* A warning means that the written entry differs from the file. */
    int r = archive_write_header(b->archive, entry);
    return r == ARCHIVE_OK && b->failure >= 0 ? 0 : archive_failed(b, path, e);
}

static int put_data(struct build *b, const char *path, const void *data, size_t size, struct error *e)
{
    la_ssize_t n = archive_write_data(b->archive, data, size);
    return n == (la_ssize_t)size && b->failure >= 0 ? 0 : archive_failed(b, path, e);
}

static int pack_file(struct build *b, int parent, const char *name, const char *path, struct error *e)
{
    _cleanup_close_ int fd = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return entry_failed(path, errno, "open", e);
    if (!S_ISREG(st.st_mode))
        return entry_failed(path, EBUSY, "pack a file that is changing,", e);
    if (st.st_nlink > 1)
        b->hard_links++;
    uint64_t left = (uint64_t)st.st_size;
    int r = put_entry(b, path, st.st_mode, left, NULL, e);
    while (r >= 0) {
        ssize_t n = read(fd, b->buffer, sizeof b->buffer);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return entry_failed(path, errno, "read", e);
        if ((uint64_t)n > left || (n == 0 && left > 0))
            return entry_failed(path, EBUSY, "pack a file that is changing,", e);
        if (n == 0)
            return 0;
        left -= (uint64_t)n;
        r = put_data(b, path, b->buffer, (size_t)n, e);
    }
    return r;
}

static int pack_symlink(struct build *b, int parent, const char *name, const char *path, struct error *e)
{
    char target[4097];
    ssize_t n = readlinkat(parent, name, target, sizeof target - 1);
    if (n < 0)
        return entry_failed(path, errno, "read", e);
    target[n] = '\0';
    return put_entry(b, path, S_IFLNK, 0, target, e);
}

static int pack_children(struct build *b, int fd, const char *path, unsigned depth, struct error *e);

static int pack_directory(struct build *b, int parent, const char *name, const char *path, unsigned depth,
                          struct error *e)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return entry_failed(path, errno, "open", e);
    struct stat st;
    int r = 0;
    if (fstat(fd, &st) < 0)
        r = entry_failed(path, errno, "stat", e);
    else if (st.st_dev == b->output.st_dev && st.st_ino == b->output.st_ino)
        r = error_refuse(e, EINVAL, "the output directory '%s' is in the packed directory",
                         b->options->output_directory);
    else if (depth > PACKAGE_LIMITS_DEFAULT.depth)
        r = entry_failed(path, ELOOP, "pack", e);
    if (r >= 0)
        r = put_entry(b, path, st.st_mode, 0, NULL, e);
    if (r >= 0)
        r = pack_children(b, fd, path, depth, e);
    close(fd);
    return r;
}

static int pack_child(struct build *b, int parent, const char *name, const char *path, unsigned depth,
                      struct error *e)
{
    struct stat st;
    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return entry_failed(path, errno, "stat", e);
    switch (st.st_mode & S_IFMT) {
    case S_IFREG:
        return pack_file(b, parent, name, path, e);
    case S_IFLNK:
        return pack_symlink(b, parent, name, path, e);
    case S_IFDIR:
        return pack_directory(b, parent, name, path, depth, e);
    default: {
        _cleanup_free_ char *text = entry_printable(path);
        return error_refuse(e, EINVAL, "'%s' is a %s, which packages cannot contain", text,
                            S_ISFIFO(st.st_mode)   ? "fifo"
                            : S_ISSOCK(st.st_mode) ? "socket"
                                                   : "device");
    }
    }
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Reads the names in a directory and sorts them bytewise, independent of the locale. Omits the root's
 * ".ipk". */
static int read_names(int fd, const char *path, char ***ret, size_t *ret_n, struct error *e)
{
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_closedir_ DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
    if (!dir) {
        int why = errno;
        close_fd(copy);
        return entry_failed(path, why, "read directory", e);
    }
    char **names = NULL;
    size_t n = 0, room = 0;
    struct dirent *d;
    bool root = streq(path, ".");
    while ((d = readdir(dir))) {
        if (streq(d->d_name, ".") || streq(d->d_name, "..") || (root && streq(d->d_name, OWN_DIRECTORY)))
            continue;
        if (n == room) {
            room = room ? 2 * room : 32;
            names = xrealloc(names, room, sizeof *names);
        }
        names[n++] = xstrdup(d->d_name);
    }
    if (n > 0)
        qsort(names, n, sizeof *names, compare_names);
    *ret = names;
    *ret_n = n;
    return 0;
}

static int pack_children(struct build *b, int fd, const char *path, unsigned depth, struct error *e)
{
    char **names = NULL;
    size_t n = 0;
    int r = read_names(fd, path, &names, &n, e);
    for (size_t i = 0; i < n; i++) {
        _cleanup_free_ char *child =
            streq(path, ".") ? xstrdup(names[i]) : xasprintf("%s/%s", path, names[i]);
        if (r >= 0)
            r = pack_child(b, fd, names[i], child, depth + 1, e);
        free(names[i]);
    }
    free(names);
    return r;
}

/* Writes ".ipk/metadata.json" as the original builder does: the Package without the members that are known
 * only after the data block is complete. */
static int pack_metadata(struct build *b, struct error *e)
{
    struct package described = *b->package;
    described.built = 0;
    described.size = 0;
    described.sha256[0] = '\0';
    described.compression = COMPRESSION_NONE;
    json_t *json = package_to_json(&described);
    _cleanup_free_ char *text = json_dumps(json, JSON_INDENT(2));
    json_decref(json);
    if (!text)
        return error_refuse(e, EINVAL, "the description of package '%s' is not valid UTF-8", b->package->id);
    const char *path = OWN_DIRECTORY "/metadata.json";
    int r = put_entry(b, OWN_DIRECTORY, S_IFDIR | 0755, 0, NULL, e);
    if (r >= 0)
        r = put_entry(b, path, S_IFREG | 0644, strlen(text), NULL, e);
    return r >= 0 ? put_data(b, path, text, strlen(text), e) : r;
}

static int pack_root(struct build *b, struct error *e)
{
    _cleanup_close_ int fd = open_dir_at(AT_FDCWD, b->options->directory, e);
    struct stat st;
    if (fd < 0)
        return fd;
    if (fstat(fd, &st) < 0)
        return error_os(e, errno, "cannot stat '%s'", b->options->directory);
    if (st.st_dev == b->output.st_dev && st.st_ino == b->output.st_ino)
        return error_refuse(e, EINVAL, "the output directory '%s' is the packed directory itself",
                            b->options->output_directory);
    int r = put_entry(b, ".", S_IFDIR | 0755, 0, NULL, e);
    if (r >= 0)
        r = pack_metadata(b, e);
    return r >= 0 ? pack_children(b, fd, ".", 0, e) : r;
}

static int write_archive(struct build *b, struct error *e)
{
    b->archive = archive_write_new();
    if (!b->archive)
        return error_os(e, ENOMEM, "cannot write archives");
    /* ustar where it suffices, pax headers for long or non-ASCII names: the original agent reads both. */
    int r = archive_write_set_format_pax_restricted(b->archive);
    if (r == ARCHIVE_OK)
        r = archive_write_set_bytes_per_block(b->archive, TAR_BLOCK_SIZE);
    if (r == ARCHIVE_OK)
        r = archive_write_set_bytes_in_last_block(b->archive, 1);
    if (r == ARCHIVE_OK)
        r = archive_write_open(b->archive, b, NULL, write_block, NULL);
    if (r != ARCHIVE_OK)
        return archive_failed(b, b->options->directory, e);
    int q = pack_root(b, e);
    if (q >= 0 && (archive_write_close(b->archive) != ARCHIVE_OK || b->failure < 0))
        q = archive_failed(b, b->options->directory, e);
    if (q < 0)
        b->failure = q; /* archive_write_free() closes the archive: what it writes then is dropped */
    return q;
}

static int copy_all(int from, int to, struct build *b, struct error *e)
{
    if (lseek(from, 0, SEEK_SET) < 0)
        return error_os(e, errno, "cannot read the data block");
    for (;;) {
        ssize_t n = read(from, b->buffer, sizeof b->buffer);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            return 0;
        int r = n < 0 ? -errno : write_all(to, b->buffer, (size_t)n);
        if (r < 0)
            return error_os(e, -r, "cannot write the package");
    }
}

/* Writes header and data block into a temporary file in the output directory, and renames it to the final
 * name. */
static int assemble(struct build *b, int output, int block, struct error *e)
{
    char random[13];
    random_hex(random, 6);
    _cleanup_free_ char *file = xasprintf("%s.ipk", b->package->id);
    _cleanup_free_ char *temporary = xasprintf(".%s.%s.tmp", file, random);
    _cleanup_close_ int fd =
        openat(output, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        return error_os(e, errno, "cannot create '%s/%s'", b->options->output_directory, temporary);
    int r = package_header_write(fd, b->package, e);
    if (r >= 0)
        r = copy_all(block, fd, b, e);
    if (r >= 0 && fsync(fd) < 0)
        r = error_os(e, errno, "cannot sync '%s'", file);
    if (r >= 0 && renameat(output, temporary, output, file) < 0)
        r = error_os(e, errno, "cannot rename to '%s'", file);
    if (r < 0)
        unlinkat(output, temporary, 0);
    else if (fsync(output) < 0)
        r = error_os(e, errno, "cannot sync '%s'", b->options->output_directory);
    return r;
}

/* Opens an unnamed file for the data block: the header, which precedes it, contains its size. */
static int open_unnamed(int output, const char *path, struct error *e)
{
    int fd = openat(output, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0)
        return fd;
    char random[13];
    random_hex(random, 6);
    _cleanup_free_ char *name = xasprintf(".data.%s.tmp", random);
    fd = openat(output, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_os(e, errno, "cannot create a file in '%s'", path);
    unlinkat(output, name, 0);
    return fd;
}

static void say_notes(const struct build *b)
{
    if (b->hard_links > 0) {
        _cleanup_free_ char *s =
            xasprintf("%u files with several hard links are stored as copies", b->hard_links);
        note(b, s);
    }
    if (b->special_bits > 0) {
        _cleanup_free_ char *s =
            xasprintf("setuid, setgid and sticky bits of %u entries are omitted", b->special_bits);
        note(b, s);
    }
}

static int describe(const struct package_build_options *o, int64_t when, struct package **ret,
                    struct error *e)
{
    _cleanup_package_ struct package *p = xcalloc(1, sizeof *p);
    int r = package_id_make(o->name, o->version, o->os, o->arch, &p->id, e);
    if (r < 0)
        return r;
    p->name = xstrdup(o->name);
    p->metadata_version = version_without_rebuild(o->version);
    p->version = xstrdup(o->version);
    p->os = xstrdup(o->os);
    p->arch = xstrdup(o->arch);
    p->description = xstrdup(o->description ?: "");
    p->license = xstrdup(o->license ?: "");
    p->homepage = xstrdup(o->homepage ?: "");
    p->repository = xstrdup(o->repository ?: "");
    p->compression = o->compression;
    p->built = when;
    *ret = TAKE_PTR(p);
    return 0;
}

static int build(struct build *b, struct error *e)
{
    _cleanup_close_ int output = open_dir_at(AT_FDCWD, b->options->output_directory, e);
    if (output < 0)
        return output;
    if (fstat(output, &b->output) < 0)
        return error_os(e, errno, "cannot stat '%s'", b->options->output_directory);
    _cleanup_close_ int fd = open_unnamed(output, b->options->output_directory, e);
    if (fd < 0)
        return fd;
    int r = data_block_new(fd, b->options->compression, b->options->level, &b->block, e);
    if (r >= 0)
        r = write_archive(b, e);
    if (r >= 0)
        r = data_block_finish(b->block, &b->package->size, b->package->sha256, e);
    return r >= 0 ? assemble(b, output, fd, e) : r;
}

int package_build_time(int64_t *ret, struct error *e)
{
    const char *s = getenv("SOURCE_DATE_EPOCH");
    int64_t when = -1;
    /* Tar's octal field has 33 bits: a later time would need a pax header in every entry. */
    if (s && *s && parse_int64(s, 0, (INT64_C(1) << 33) - 1, &when) < 0)
        return error_refuse(e, EINVAL, "SOURCE_DATE_EPOCH '%s' is not a unix time", s);
    *ret = when;
    return 0;
}

int package_build(const struct package_build_options *options, char **ret_path, struct package **ret_package,
                  struct error *e)
{
    struct build *b = xcalloc(1, sizeof *b);
    b->options = options;
    b->time = options->time < 0 ? DEFAULT_TIME : options->time;
    locale_t utf8;
    int r = utf8_locale(&utf8, e);
    if (r >= 0)
        r = describe(options, b->time, &b->package, e);
    if (r >= 0) {
        locale_t before = uselocale(utf8);
        r = build(b, e);
        uselocale(before);
    }
    if (r >= 0) {
        say_notes(b);
        *ret_path = xasprintf("%s/%s.ipk", options->output_directory, b->package->id);
        *ret_package = TAKE_PTR(b->package);
    }
    if (b->archive)
        archive_write_free(b->archive);
    data_block_free(b->block);
    package_free(b->package);
    free(b);
    return r;
}

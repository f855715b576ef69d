/* Implements download_file.h: opens the file, which the sink's thread copies. */
#include "fetcher/download_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "fetcher/download_report.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"

/* Returns a text that identifies the contents of a local file, so that an interrupted copy is resumed only
 * from the same file. The caller frees it. */
static char *identity(const struct stat *st)
{
    return xasprintf("%llu:%llu:%lld:%lld.%09ld", (unsigned long long)st->st_dev,
                     (unsigned long long)st->st_ino, (long long)st->st_size, (long long)st->st_mtim.tv_sec,
                     st->st_mtim.tv_nsec);
}

static int open_source(struct download *d, struct stat *ret, struct error *e)
{
    _cleanup_free_ char *name = repository_file_name(d->repository, d->file);
    _cleanup_close_ int directory = open_dir_at(AT_FDCWD, d->repository->path, e);
    if (directory < 0)
        return directory;
    _cleanup_close_ int fd = open_beneath(directory, d->file, O_RDONLY, 0, NULL);
    if (fd == -ENOENT)
        return error_set(e, ERROR_NOT_FOUND, ENOENT, "%s does not exist", name);
    if (fd < 0)
        return error_os(e, -fd, "cannot open %s", name);
    if (fstat(fd, ret) < 0)
        return error_os(e, errno, "cannot stat %s", name);
    if (!S_ISREG(ret->st_mode))
        return error_fail(e, EINVAL, "%s is not a regular file", name);
    if (d->package->size > 0 && ret->st_size != d->package->size)
        return error_fail(e, EBADMSG, "%s has %lld bytes, the package %lld", name, (long long)ret->st_size,
                          (long long)d->package->size);
    return TAKE_FD(fd);
}

void download_start_file(struct download *d)
{
    struct error e = ERROR_INIT;
    struct stat st;
    int fd = open_source(d, &st, &e);
    if (fd < 0) {
        download_try_failed(d, &e, 0);
        return;
    }
    _cleanup_free_ char *is = identity(&st), *url = repository_file_name(d->repository, d->file);
    d->total = (uint64_t)st.st_size;
    if (!d->facts.etag || !streq(d->facts.etag, is) || sink_position(d->sink) > d->total) {
        const struct facts facts = {.url = url,
                                    .etag = is,
                                    .sha256 = d->package->sha256,
                                    .checksum = d->package->checksum,
                                    .size = st.st_size};
        d->pieced = false;
        sink_restart(d->sink, &facts);
        download_say(d, "copying from %s", d->repository->name);
    } else {
        download_say(d, "copying from %s, from byte %llu of %llu on", d->repository->name,
                     (unsigned long long)sink_position(d->sink), (unsigned long long)d->total);
    }
    sink_copy(d->sink, fd);
}

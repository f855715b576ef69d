/* Implements index_scan.h. */
#include "lib/package/index_scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/package/index.h"

struct scan {
    enum package_scan kind;
    void (*skipped)(void *userdata, const struct error *why);
    void *userdata;
    struct package_index *index;
    uint8_t buffer[256 * 1024];
};

static int hash_hex(EVP_MD_CTX *hash, char ret[SHA256_HEX_SIZE])
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    if (EVP_DigestFinal_ex(hash, digest, &n) != 1)
        return -ENOMEM;
    bytes_to_hex(digest, n, ret);
    return 0;
}

/* Hashes the whole file and, separately, its data block, which begins at 'block'. */
static int hash_file(struct scan *s, int fd, uint64_t block, EVP_MD_CTX *whole, EVP_MD_CTX *data)
{
    uint64_t at = 0;
    if (!whole || !data || EVP_DigestInit_ex(whole, EVP_sha256(), NULL) != 1 ||
        EVP_DigestInit_ex(data, EVP_sha256(), NULL) != 1)
        return -ENOMEM;
    for (;;) {
        /* No read crosses the start of the data block. */
        size_t want = at < block && block - at < sizeof s->buffer ? (size_t)(block - at) : sizeof s->buffer;
        ssize_t n = pread(fd, s->buffer, want, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : 0;
        if (EVP_DigestUpdate(whole, s->buffer, (size_t)n) != 1 ||
            (at >= block && EVP_DigestUpdate(data, s->buffer, (size_t)n) != 1))
            return -ENOMEM;
        at += (uint64_t)n;
    }
}

static int verify(struct scan *s, int fd, const char *file, uint64_t block, struct package_index_item *item,
                  struct error *e)
{
    EVP_MD_CTX *whole = EVP_MD_CTX_new(), *data = EVP_MD_CTX_new();
    char sum[SHA256_HEX_SIZE];
    int r = hash_file(s, fd, block, whole, data);
    if (r >= 0)
        r = hash_hex(whole, item->sha256);
    if (r >= 0)
        r = hash_hex(data, sum);
    EVP_MD_CTX_free(whole);
    EVP_MD_CTX_free(data);
    if (r < 0)
        return error_os(e, -r, "cannot read '%s'", file);
    if (!streq(sum, item->package->sha256))
        return error_refuse(e, EBADMSG,
                            "'%s' is damaged: its data block has the checksum sha256:%s, not sha256:%s", file,
                            sum, item->package->sha256);
    return 0;
}

static int read_item(struct scan *s, int directory, const char *name, const char *file,
                     struct package_index_item *item, struct error *e)
{
    _cleanup_close_ int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return error_os(e, errno, "cannot open '%s'", file);
    _cleanup_free_ char *what = xasprintf("'%s'", file);
    uint64_t block, size;
    int r = package_header_read(fd, what, &item->package, &block, &size, e);
    if (r < 0)
        return r;
    item->size = block + size;
    return s->kind == PACKAGE_SCAN_VERIFY ? verify(s, fd, file, block, item, e) : 0;
}

static int add_file(struct scan *s, int directory, const char *name, const char *file, struct error *e)
{
    struct package_index *index = s->index;
    struct package_index_item item = {0};
    struct error why = ERROR_INIT;
    if (index->n_items == PACKAGE_INDEX_ITEMS)
        return error_refuse(e, EFBIG, "there are more than %d packages", PACKAGE_INDEX_ITEMS);
    int r = package_index_file_is_plain(file)
                ? read_item(s, directory, name, file, &item, &why)
                : error_refuse(&why, EINVAL, "'%s' is not a name for an index: rename it to {id}.ipk", file);
    if (r < 0) {
        package_free(item.package);
        if (s->skipped) {
            s->skipped(s->userdata, &why);
            return 0;
        }
        if (e)
            *e = why;
        return r;
    }
    item.file = xstrdup(file);
    if (index->n_items == index->room) {
        index->room = index->room ? 2 * index->room : 32;
        index->items = xrealloc(index->items, index->room, sizeof *index->items);
    }
    index->items[index->n_items++] = item;
    return 0;
}

/* Scans a directory; with 'prefix' NULL, the top directory, also its subdirectories. */
static int scan_directory(struct scan *s, int directory, const char *prefix, struct error *e)
{
    int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_closedir_ DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
    if (!dir) {
        int why = errno;
        close_fd(copy);
        return error_os(e, why, "cannot read directory '%s'", prefix ?: ".");
    }
    struct dirent *d;
    while ((d = readdir(dir))) {
        struct stat st;
        if (d->d_name[0] == '.' || fstatat(directory, d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        int r = 0;
        if (S_ISREG(st.st_mode) && has_suffix(d->d_name, ".ipk")) {
            _cleanup_free_ char *file = prefix ? xasprintf("%s/%s", prefix, d->d_name) : xstrdup(d->d_name);
            r = add_file(s, directory, d->d_name, file, e);
        } else if (S_ISDIR(st.st_mode) && !prefix) {
            _cleanup_close_ int fd =
                openat(directory, d->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            r = fd < 0 ? error_os(e, errno, "cannot open directory '%s'", d->d_name)
                       : scan_directory(s, fd, d->d_name, e);
        }
        if (r < 0)
            return r;
    }
    return 0;
}

int package_index_scan(int directory, enum package_scan kind,
                       void (*skipped)(void *userdata, const struct error *why), void *userdata,
                       struct package_index **ret, struct error *e)
{
    _cleanup_(cleanup_package_index_free) struct package_index *index = xcalloc(1, sizeof *index);
    struct scan *s = xcalloc(1, sizeof *s);
    s->kind = kind;
    s->skipped = skipped;
    s->userdata = userdata;
    s->index = index;
    int r = scan_directory(s, directory, NULL, e);
    free(s);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(index);
    return 0;
}

int package_index_write(const char *directory, size_t *ret_items, struct error *e)
{
    _cleanup_(cleanup_package_index_free) struct package_index *index = NULL;
    _cleanup_close_ int fd = open_dir_at(AT_FDCWD, directory, e);
    if (fd < 0)
        return fd;
    int r = package_index_scan(fd, PACKAGE_SCAN_VERIFY, NULL, NULL, &index, e);
    if (r < 0)
        return r;
    _cleanup_free_ char *text = package_index_format(index);
    r = replace_file_at(fd, "index.json", text, strlen(text), 0644, (uid_t)-1, (gid_t)-1, e);
    if (r >= 0)
        *ret_items = index->n_items;
    return r;
}

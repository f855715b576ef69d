/* Implements index_cache.h. */
#include "fetcher/index_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include "fetcher/facts.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/schema/object.h"
#include "lib/schema/pack.h"
#include "lib/schema/parse.h"

#define LINE_MAX_BYTES 8192
#define PREFIX         "index-"
#define SUFFIX         ".cache"
#define CACHE_FORMAT   1

struct cache_head {
    int64_t format;
    char *url, *etag, *last_modified;
};

#define T struct cache_head
static const struct schema_field fields[] = {
    S_INT(T, format, NULL),
    S_STRING(T, url, NULL),
    S_STRING_OPT(T, etag, NULL),
    S_STRING_OPT(T, last_modified, NULL),
    S_END,
};
static const struct schema_struct head_schema = {"CacheHead", sizeof(T), NULL, fields};
#undef T

char *index_cache_name(const struct repository *r)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    char hex[17];
    unsigned n = 0;
    if (EVP_Digest(r->name, strlen(r->name), digest, &n, EVP_sha256(), NULL) != 1)
        abort();
    bytes_to_hex(digest, 8, hex);
    return xasprintf(PREFIX "%s" SUFFIX, hex);
}

void index_cache_validators(const struct repository *r, char **ret_etag, char **ret_last_modified)
{
    _cleanup_free_ char *name = index_cache_name(r);
    char line[LINE_MAX_BYTES];
    struct cache_head head = {0};
    *ret_etag = *ret_last_modified = NULL;
    _cleanup_close_ int fd = openat(r->fetcher->store.state_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof line);
    const char *end = n > 0 ? memchr(line, '\n', (size_t)n) : NULL;
    if (!end || schema_parse_text(&head_schema, line, (size_t)(end - line), 0, name, &head, NULL) < 0)
        return;
    if (head.format == CACHE_FORMAT && streq(head.url, r->name)) {
        *ret_etag = TAKE_PTR(head.etag);
        *ret_last_modified = TAKE_PTR(head.last_modified);
    }
    schema_done(&head_schema, &head);
}

int index_cache_read(int state_fd, const char *name, char **ret, size_t *ret_size, struct error *e)
{
    _cleanup_free_ char *text = NULL;
    size_t size;
    int r = read_file_at(state_fd, name, PACKAGE_INDEX_MAX + LINE_MAX_BYTES, &text, &size, e);
    if (r < 0)
        return r;
    const char *end = memchr(text, '\n', size);
    if (!end)
        return error_fail(e, EBADMSG, "'%s' is damaged", name);
    size_t head = (size_t)(end - text) + 1;
    memmove(text, text + head, size - head + 1);
    *ret = TAKE_PTR(text);
    *ret_size = size - head;
    return 0;
}

int index_cache_write(int state_fd, const char *name, const char *url, const char *etag,
                      const char *last_modified, const char *text, size_t size, struct error *e)
{
    const struct cache_head head = {CACHE_FORMAT, (char *)url, (char *)etag, (char *)last_modified};
    size_t n;
    _cleanup_free_ char *line = schema_pack_text(&head_schema, &head, &n);
    _cleanup_free_ char *whole = xcalloc(n + 1 + size, 1);
    int r = n < LINE_MAX_BYTES
                ? 0
                : error_refuse(e, EFBIG, "the response headers of '%s' are too long to be stored", url);
    if (r >= 0)
        r = file_fits(name, size, PACKAGE_INDEX_MAX, e);
    if (r < 0)
        return r;
    memcpy(whole, line, n);
    whole[n] = '\n';
    memcpy(whole + n + 1, text, size);
    return replace_file_at(state_fd, name, whole, n + 1 + size, 0600, (uid_t)-1, (gid_t)-1, e);
}

static bool is_wanted(const char *name, const struct repository *list)
{
    for (const struct repository *r = list; r; r = r->next) {
        _cleanup_free_ char *own = r->kind == REPOSITORY_HTTP ? index_cache_name(r) : NULL;
        if (own && streq(own, name))
            return true;
    }
    return false;
}

void index_cache_clean(int state_fd, const struct repository *list)
{
    int fd = openat(state_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        close_fd(fd);
        return;
    }
    for (struct dirent *d; (d = readdir(dir));)
        if (after_prefix(d->d_name, PREFIX) && has_suffix(d->d_name, SUFFIX) && !is_wanted(d->d_name, list))
            unlinkat(state_fd, d->d_name, 0);
}

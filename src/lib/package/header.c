/* Implements header.h. */
#include "lib/package/header.h"

#include <endian.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/package/id.h"
#include "lib/package/version.h"

#define MAGIC         "IPK1"
#define MAGIC_SIZE    4
#define PREFIX_SIZE   8
#define STRING_MAX    4096
#define CHECKSUM_KIND "sha256:"

struct package *package_free(struct package *p)
{
    if (!p)
        return NULL;
    free(p->name);
    free(p->metadata_version);
    free(p->description);
    free(p->homepage);
    free(p->repository);
    free(p->license);
    free(p->version);
    free(p->os);
    free(p->arch);
    free(p->id);
    free(p);
    return NULL;
}

/* Copies a string member; "" if it is absent or null, which is an error if 'required'. */
static int take_string(const json_t *object, const char *path, const char *member, bool required, char **ret,
                       struct error *e)
{
    const json_t *v = json_object_get(object, member);
    if (v && !json_is_null(v) && !json_is_string(v))
        return error_refuse(e, EINVAL, "%s.%s is not a string", path, member);
    const char *s = v && json_is_string(v) ? json_string_value(v) : "";
    if (required && !*s)
        return error_refuse(e, EINVAL, "%s.%s is missing", path, member);
    if (strlen(s) > STRING_MAX)
        return error_refuse(e, EINVAL, "%s.%s is longer than %d bytes", path, member, STRING_MAX);
    *ret = xstrdup(s);
    return 0;
}

static int take_integer(const json_t *object, const char *path, const char *member, int64_t *ret,
                        struct error *e)
{
    const json_t *v = json_object_get(object, member);
    if (v && !json_is_null(v) && !json_is_integer(v))
        return error_refuse(e, EINVAL, "%s.%s is not a whole number", path, member);
    int64_t n = v && json_is_integer(v) ? json_integer_value(v) : 0;
    if (n < 0)
        return error_refuse(e, EINVAL, "%s.%s is negative", path, member);
    *ret = n;
    return 0;
}

/* Parses "sha256:" and 64 hex digits. A missing checksum is refused: changes to the package would not be
 * detected. */
static int take_checksum(const json_t *release, char ret[SHA256_HEX_SIZE], struct error *e)
{
    _cleanup_free_ char *s = NULL;
    int r = take_string(release, "release", "checksum", true, &s, e);
    if (r < 0)
        return r;
    const char *hex = after_prefix(s, CHECKSUM_KIND);
    if (!hex || strlen(hex) != SHA256_HEX_SIZE - 1 ||
        strspn(hex, "0123456789abcdefABCDEF") != SHA256_HEX_SIZE - 1)
        return error_refuse(e, EINVAL, "release.checksum '%.100s' is not \"sha256:\" and 64 hex digits", s);
    for (size_t i = 0; i < SHA256_HEX_SIZE; i++)
        ret[i] = hex[i] >= 'A' && hex[i] <= 'F' ? (char)(hex[i] + ('a' - 'A')) : hex[i];
    return 0;
}

static int take_metadata(const json_t *metadata, struct package *p, struct error *e)
{
    const struct {
        const char *member;
        bool required;
        char **ret;
    } strings[] = {
        {"name", true, &p->name},
        {"version", false, &p->metadata_version},
        {"description", false, &p->description},
        {"homepage", false, &p->homepage},
        {"repository", false, &p->repository},
        {"license", false, &p->license},
    };
    for (size_t i = 0; i < ARRAY_SIZE(strings); i++) {
        int r = take_string(metadata, "metadata", strings[i].member, strings[i].required, strings[i].ret, e);
        if (r < 0)
            return r;
    }
    return 0;
}

static int take_release(const json_t *release, struct package *p, struct error *e)
{
    _cleanup_free_ char *compress = NULL;
    int64_t size = 0;
    int r = take_string(release, "release", "version", true, &p->version, e);
    if (r >= 0)
        r = take_string(release, "release", "os", true, &p->os, e);
    if (r >= 0)
        r = take_string(release, "release", "arch", true, &p->arch, e);
    if (r >= 0)
        r = take_integer(release, "release", "built", &p->built, e);
    if (r >= 0)
        r = take_integer(release, "release", "size", &size, e);
    if (r >= 0)
        r = take_checksum(release, p->sha256, e);
    if (r >= 0)
        r = take_string(release, "release", "compress", false, &compress, e);
    if (r < 0)
        return r;
    if (compression_from_string(compress, &p->compression) < 0)
        return error_refuse(e, EINVAL, "release.compress '%.40s' is not known (xz, gzip, zstd or none)",
                            compress);
    p->size = (uint64_t)size;
    return 0;
}

int package_from_json(const json_t *json, struct package **ret, struct error *e)
{
    if (!json_is_object(json))
        return error_refuse(e, EINVAL, "the package is not described by an object");
    const json_t *metadata = json_object_get(json, "metadata"), *release = json_object_get(json, "release");
    if (!json_is_object(metadata))
        return error_refuse(e, EINVAL, "metadata is missing");
    if (!json_is_object(release))
        return error_refuse(e, EINVAL, "release is missing");
    _cleanup_package_ struct package *p = xcalloc(1, sizeof *p);
    int r = take_metadata(metadata, p, e);
    if (r >= 0)
        r = take_release(release, p, e);
    if (r >= 0)
        r = package_id_make(p->name, p->version, p->os, p->arch, &p->id, e);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(p);
    return 0;
}

static void put_string(json_t *object, const char *member, const char *value)
{
    if (value && *value)
        json_object_set_new(object, member, json_string(value));
}

json_t *package_to_json(const struct package *p)
{
    json_t *metadata = json_object(), *release = json_object(), *whole = json_object();
    put_string(metadata, "name", p->name);
    put_string(metadata, "version", p->metadata_version);
    put_string(metadata, "description", p->description);
    put_string(metadata, "homepage", p->homepage);
    put_string(metadata, "repository", p->repository);
    put_string(metadata, "license", p->license);
    put_string(release, "version", p->version);
    put_string(release, "os", p->os);
    put_string(release, "arch", p->arch);
    if (p->built > 0)
        json_object_set_new(release, "built", json_integer(p->built));
    if (p->size > 0)
        json_object_set_new(release, "size", json_integer((json_int_t)p->size));
    if (p->sha256[0]) {
        _cleanup_free_ char *checksum = xasprintf(CHECKSUM_KIND "%s", p->sha256);
        put_string(release, "checksum", checksum);
    }
    put_string(release, "compress", compression_to_header(p->compression));
    json_object_set_new(whole, "metadata", metadata);
    json_object_set_new(whole, "release", release);
    return whole;
}

/* Reads 'size' bytes at 'offset'. Returns 0 or a negative errno; −ENODATA if the file ends before. */
static int read_at(int fd, void *data, size_t size, uint64_t offset)
{
    uint8_t *at = data;
    while (size > 0) {
        ssize_t n = pread(fd, at, size, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -ENODATA;
        at += n;
        size -= (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}

static int read_failed(int r, const char *what, struct error *e)
{
    if (r == -ENODATA)
        return error_refuse(e, EBADMSG, "%s is truncated: it ends within its header", what);
    return error_os(e, -r, "cannot read %s", what);
}

static int read_json(int fd, const char *what, uint32_t size, json_t **ret, struct error *e)
{
    _cleanup_free_ char *text = xcalloc(1, size);
    int r = read_at(fd, text, size, PREFIX_SIZE);
    if (r < 0)
        return read_failed(r, what, e);
    json_error_t why;
    json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
    if (!json)
        return error_refuse(e, EBADMSG, "the header of %s is not JSON: line %d: %s", what, why.line,
                            why.text);
    *ret = json;
    return 0;
}

int package_header_read(int fd, const char *what, struct package **ret, uint64_t *ret_offset,
                        uint64_t *ret_size, struct error *e)
{
    struct {
        char magic[MAGIC_SIZE];
        uint32_t size;
    } prefix;
    _Static_assert(sizeof prefix == PREFIX_SIZE, "the prefix has no padding");
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_os(e, errno, "cannot stat %s", what);
    if (!S_ISREG(st.st_mode))
        return error_refuse(e, EINVAL, "%s is not a regular file", what);
    int r = read_at(fd, &prefix, sizeof prefix, 0);
    if (r < 0)
        return read_failed(r, what, e);
    if (memcmp(prefix.magic, MAGIC, MAGIC_SIZE) != 0)
        return error_refuse(e, EBADMSG, "%s is not a package: it does not begin with %s", what, MAGIC);
    uint32_t header = le32toh(prefix.size);
    if (header < 2 || header > PACKAGE_HEADER_MAX)
        return error_refuse(e, EBADMSG, "%s is not a package: its header would have %u bytes", what, header);
    json_t *json = NULL;
    r = read_json(fd, what, header, &json, e);
    if (r < 0)
        return r;
    _cleanup_package_ struct package *p = NULL;
    r = package_from_json(json, &p, e);
    json_decref(json);
    if (r < 0) {
        error_prefix(e, "the header of %s", what);
        return r;
    }
    uint64_t offset = PREFIX_SIZE + (uint64_t)header, size = (uint64_t)st.st_size - offset;
    if (size < p->size)
        return error_refuse(e, EBADMSG, "%s is truncated: its data block has %llu of %llu bytes", what,
                            (unsigned long long)size, (unsigned long long)p->size);
    if (p->size > 0 && size > p->size)
        return error_refuse(e, EBADMSG, "%s has %llu bytes of trailing data after its data block", what,
                            (unsigned long long)(size - p->size));
    if (size == 0)
        return error_refuse(e, EBADMSG, "%s is truncated: it has no data block", what);
    *ret = TAKE_PTR(p);
    *ret_offset = offset;
    *ret_size = size;
    return 0;
}

int package_header_write(int fd, const struct package *p, struct error *e)
{
    json_t *json = package_to_json(p);
    _cleanup_free_ char *text = json_dumps(json, JSON_INDENT(2));
    json_decref(json);
    size_t size = text ? strlen(text) : 0;
    if (size == 0 || size > PACKAGE_HEADER_MAX)
        return error_refuse(e, EINVAL, "the header of package '%s' cannot be written as JSON",
                            p->id ?: p->name);
    uint32_t length = htole32((uint32_t)size);
    int r = write_all(fd, MAGIC, MAGIC_SIZE);
    if (r >= 0)
        r = write_all(fd, &length, sizeof length);
    if (r >= 0)
        r = write_all(fd, text, size);
    return r < 0 ? error_os(e, -r, "cannot write the header of package '%s'", p->id ?: p->name) : 0;
}

/* Implements file.h. */
#include "lib/zone/file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/schema/object.h"
#include "lib/schema/pack.h"
#include "lib/schema/parse.h"

#define FORMAT   1
#define FILE_MAX ((size_t)1 << 20)

#define T struct zone_file
static const struct schema_field fields[] = {
    S_INT(T, format, NULL),
    S_STRING(T, host_id, NULL),
    S_STRING(T, access_key, NULL),
    S_STRING_OPT(T, zone_name, NULL),
    S_STRINGS(T, hosts, NULL),
    S_STRING_OPT(T, leader, NULL),
    S_STRING_OPT(T, vpc_bridge_ip, NULL),
    S_STRING_OPT(T, vpc_instance_cidr, NULL),
    S_STRING_OPT(T, network_domain, NULL),
    S_END,
};
const struct schema_struct zone_file_schema = {"ZoneFile", sizeof(T), NULL, fields};
#undef T

static char *zone_file_path(const struct tree *tree)
{
    _cleanup_free_ char *state = tree_state(tree, "zone");
    return xasprintf("%s/zone.json", state);
}

int zone_file_read(const struct tree *tree, struct zone_file *ret, struct error *e)
{
    _cleanup_free_ char *path = zone_file_path(tree), *text = NULL;
    struct zone_file zone = {0};
    size_t size;
    int r = read_file_at(AT_FDCWD, path, FILE_MAX, &text, &size, e);
    if (r == -ENOENT)
        return error_set(e, ERROR_NOT_FOUND, ENOENT, "this machine belongs to no zone: there is no '%s'",
                         path);
    if (r >= 0)
        r = schema_parse_text(&zone_file_schema, text, size, 0, path, &zone, e);
    if (r < 0)
        return r;
    if (zone.format > FORMAT) {
        r = error_refuse(e, ENOTSUP, "'%s' has format %lld, newer than this version knows", path,
                         (long long)zone.format);
        zone_file_done(&zone);
        return r;
    }
    *ret = zone;
    return 0;
}

int zone_file_write(const struct tree *tree, const struct zone_file *zone, struct error *e)
{
    struct zone_file copy = *zone;
    size_t size;
    copy.format = FORMAT;
    _cleanup_free_ char *path = zone_file_path(tree),
                        *text = schema_pack_text(&zone_file_schema, &copy, &size);
    return replace_file_within(path, FILE_MAX, text, size, 0640, e);
}

int zone_file_remove(const struct tree *tree, struct error *e)
{
    _cleanup_free_ char *state = tree_state(tree, "zone");
    _cleanup_close_ int fd = open_dir_at(AT_FDCWD, state, e);
    if (fd < 0)
        return fd == -ENOENT ? 0 : fd;
    if (unlinkat(fd, "zone.json", 0) < 0)
        return errno == ENOENT ? 0 : error_os(e, errno, "cannot remove '%s/zone.json'", state);
    return fsync(fd) < 0 ? error_os(e, errno, "cannot sync '%s'", state) : 0;
}

void zone_file_done(struct zone_file *zone)
{
    schema_done(&zone_file_schema, zone);
}

/* Implements network_file.h. */
#include "net-keeper/network_file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/failpoint.h"
#include "lib/basic/fs.h"
#include "lib/schema/object.h"
#include "lib/schema/pack.h"
#include "lib/schema/parse.h"

#define NETWORK_FORMAT 1
#define TEXT_MAX       253 /* bytes of any string: the longest name of the domain name system */

struct network_file {
    int64_t format;
    struct net_network *network;
};

#define T struct network_file
static const struct schema_field fields[] = {
    S_INT(T, format, NULL), S_STRUCT_OPT(T, network, struct net_network, &net_network_schema, NULL), S_END};
static const struct schema_struct file_schema = {"NetworkFile", sizeof(T), NULL, fields};
#undef T

int network_file_parse(const char *text, size_t size, const char *source, enum network_file_state *ret_state,
                       struct net_network **ret_network, struct error *e)
{
    struct network_file file = {.network = NULL};
    int r = schema_parse_text(&file_schema, text, size, 0, source, &file, e);
    if (r >= 0 && file.format != NETWORK_FORMAT)
        r = error_refuse(e, EPROTONOSUPPORT, "'%s' has format %lld, this version knows %d", source,
                         (long long)file.format, NETWORK_FORMAT);
    if (r >= 0 && file.network && (r = network_check_limits(file.network, e)) < 0)
        error_prefix(e, "%s", source);
    if (r >= 0) {
        *ret_state = file.network ? NETWORK_WANTED : NETWORK_LEAVING;
        *ret_network = TAKE_PTR(file.network);
    }
    schema_done(&file_schema, &file);
    return r;
}

int network_file_read(const char *path, enum network_file_state *ret_state, struct net_network **ret_network,
                      struct error *e)
{
    _cleanup_free_ char *text = NULL;
    size_t size;
    int r = read_file_at(AT_FDCWD, path, NETWORK_FILE_MAX, &text, &size, e);
    if (r == -ENOENT) {
        *e = (struct error)ERROR_INIT;
        *ret_state = NETWORK_NONE;
        return 0;
    }
    return r < 0 ? r : network_file_parse(text, size, path, ret_state, ret_network, e);
}

int network_file_write(const char *path, const struct net_network *network, struct error *e)
{
    struct network_file file = {NETWORK_FORMAT, (struct net_network *)network};
    size_t size;
    _cleanup_free_ char *text = schema_pack_text(&file_schema, &file, &size);
    int r = failpoint_error("network.before_save", e);
    if (r >= 0)
        r = replace_file_within(path, NETWORK_FILE_MAX, text, size, 0600, e);
    return r < 0 ? r : failpoint_error("network.saved", e);
}

int network_file_remove(const char *path, struct error *e)
{
    if (unlink(path) < 0 && errno != ENOENT)
        return error_os(e, errno, "cannot delete '%s'", path);
    return 0;
}

static int check_text(const char *what, const char *text, struct error *e)
{
    if (text && strlen(text) > TEXT_MAX)
        return error_refuse(e, EINVAL, "%s '%.40s…' has more than %d bytes", what, text, TEXT_MAX);
    return 0;
}

static int check_host(const struct net_host *h, struct error *e)
{
    const char *const texts[] = {h->id, h->peer, h->bridge, h->instance};
    int r = 0;
    for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(texts); i++)
        r = check_text("a host's", texts[i], e);
    return r;
}

int network_check_limits(const struct net_network *n, struct error *e)
{
    const char *const texts[] = {n->host_id,         n->lan_addr,          n->bridge_ip, n->instance_cidr,
                                 n->vpc_bridge_cidr, n->vpc_instance_cidr, n->domain};
    int r = 0;
    if (n->n_hosts > NET_HOSTS_MAX)
        return error_refuse(e, EINVAL, "the network has %zu hosts, %d are possible", n->n_hosts,
                            NET_HOSTS_MAX);
    if (n->n_records > NET_RECORDS_MAX)
        return error_refuse(e, EINVAL, "the network has %zu records, %d are possible", n->n_records,
                            NET_RECORDS_MAX);
    for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(texts); i++)
        r = check_text("the network's", texts[i], e);
    for (size_t i = 0; r >= 0 && i < n->n_hosts; i++)
        r = check_host(n->hosts[i], e);
    for (size_t i = 0; r >= 0 && i < n->n_records; i++) {
        r = check_text("a record's name", n->records[i]->name, e);
        if (r >= 0)
            r = check_text("a record's address", n->records[i]->address, e);
    }
    return r;
}

struct net_network *network_copy(const struct net_network *network)
{
    struct net_network *copy = xcalloc(1, sizeof *copy);
    schema_copy(&net_network_schema, network, copy);
    return copy;
}

void network_free(struct net_network *network)
{
    schema_free(&net_network_schema, network);
}

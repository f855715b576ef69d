/* Implements original.h. */
#include "ctl/original.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/manifest/toml.h"
#include "lib/schema/object.h"
#include "lib/schema/parse.h"

#define FILE_MAX          ((size_t)64 << 20)
#define DEFAULT_HTTP_PORT 9532
#define DEFAULT_PEER_PORT 9533

/* The top levels of hostlet_active.json, innerstack.toml and hostlet_vol_quota.json. */
struct active_file {
    struct app_instance **app_instances;
    size_t n_app_instances;
    json_t *applied_revisions;
    struct schema_pair *secret_keys;
    size_t n_secret_keys;
};
struct config_file {
    struct original_server *server;
    struct original_hostlet *hostlet;
};
struct quota_file {
    struct original_quota **items;
    size_t n_items;
};

#define T struct original_server
static const struct schema_field server_fields[] = {
    S_INT_OPT(T, http_port, NULL), S_INT_OPT(T, peer_port, NULL), S_STRINGS(T, zone_hosts, NULL), S_END};
static const struct schema_struct server_schema = {"Server", sizeof(T), NULL, server_fields};
#undef T
#define T struct original_hostlet
static const struct schema_field hostlet_fields[] = {
    S_STRING(T, host_id, NULL),
    S_STRING_OPT(T, lan_addr, NULL),
    S_STRING(T, access_key, NULL),
    S_STRING_OPT(T, app_path, NULL),
    S_BOOL_OPT(T, lxc_fs_enable, NULL),
    S_STRING_OPT(T, vpc_bridge_ip, NULL),
    S_STRING_OPT(T, vpc_instance_cidr, NULL),
    S_STRING_OPT(T, vpc_network_domain, NULL),
    S_STRINGS(T, dns_servers, NULL),
    S_END,
};
static const struct schema_struct hostlet_schema = {"Hostlet", sizeof(T), NULL, hostlet_fields};
#undef T
#define T struct config_file
static const struct schema_field config_fields[] = {
    S_STRUCT_OPT(T, server, struct original_server, &server_schema, NULL),
    S_STRUCT(T, hostlet, struct original_hostlet, &hostlet_schema, NULL), S_END};
static const struct schema_struct config_schema = {"Config", sizeof(T), NULL, config_fields};
#undef T
#define T struct active_file
static const struct schema_field active_fields[] = {
    S_STRUCTS(T, app_instances, struct app_instance, &app_instance_schema, NULL),
    S_OBJECT_OPT(T, applied_revisions, NULL), S_STRING_MAP(T, secret_keys, NULL), S_END};
static const struct schema_struct active_schema = {"Active", sizeof(T), NULL, active_fields};
#undef T
#define T struct original_quota
static const struct schema_field quota_fields[] = {S_INT(T, id, NULL), S_STRING(T, name, NULL),
                                                   S_INT_OPT(T, soft, NULL), S_INT_OPT(T, hard, NULL), S_END};
static const struct schema_struct quota_schema = {"Quota", sizeof(T), NULL, quota_fields};
#undef T
#define T struct quota_file
static const struct schema_field quota_file_fields[] = {
    S_STRUCTS(T, items, struct original_quota, &quota_schema, NULL), S_END};
static const struct schema_struct quota_file_schema = {"Quotas", sizeof(T), NULL, quota_file_fields};
#undef T

/* --- files --- */

static int read_config(struct original *o, struct error *e)
{
    _cleanup_free_ char *path = xasprintf("%s/etc/innerstack.toml", o->dir), *text = NULL, *mistake = NULL;
    struct config_file file = {.server = NULL};
    struct toml_lines *lines = NULL;
    json_t *json = NULL;
    size_t size;
    int r = read_file_at(AT_FDCWD, path, FILE_MAX, &text, &size, e);
    if (r == -ENOENT)
        return error_refuse(e, ENOENT, "'%s' does not exist: '%s' is no prefix of the original agent", path,
                            o->dir);
    if (r < 0)
        return r;
    if (toml_parse(text, size, &json, &lines, &mistake) < 0)
        return error_refuse(e, EINVAL, "%s:%s", path, mistake);
    r = schema_parse(&config_schema, json, 0, &file, e);
    if (r < 0)
        error_prefix(e, "%s", path);
    json_decref(json);
    toml_lines_free(lines);
    o->server = file.server ?: xcalloc(1, sizeof *o->server);
    o->hostlet = file.hostlet;
    return r;
}

/* Reads a JSON file below etc into '*ret'. Returns 0 without a change if it does not exist. */
static int read_json(const struct original *o, const char *name, const struct schema_struct *schema,
                     void *ret, struct error *e)
{
    _cleanup_free_ char *path = xasprintf("%s/etc/%s", o->dir, name), *text = NULL;
    size_t size;
    int r = read_file_at(AT_FDCWD, path, FILE_MAX, &text, &size, e);
    if (r == -ENOENT)
        return 0;
    return r < 0 ? r : schema_parse_text(schema, text, size, 0, path, ret, e);
}

/* Checks that every applied revision is a number from 0. */
static int check_revisions(const struct original *o, json_t *revisions, struct error *e)
{
    const char *container;
    json_t *revision;
    json_object_foreach(revisions, container, revision)
    {
        if (!json_is_integer(revision) || json_integer_value(revision) < 0)
            return error_refuse(
                e, EINVAL, "%s/etc/hostlet_active.json: /applied_revisions/%.100s: expected a number from 0",
                o->dir, container);
    }
    return 0;
}

static int read_state(struct original *o, struct error *e)
{
    struct active_file active = {.applied_revisions = NULL};
    struct quota_file quotas = {.items = NULL};
    int r = read_json(o, "hostlet_active.json", &active_schema, &active, e);
    if (r >= 0)
        r = check_revisions(o, active.applied_revisions, e);
    if (r >= 0)
        r = read_json(o, "hostlet_vol_quota.json", &quota_file_schema, &quotas, e);
    if (r < 0) {
        schema_done(&active_schema, &active);
        return r;
    }
    o->instances = active.app_instances;
    o->n_instances = active.n_app_instances;
    o->applied_revisions = active.applied_revisions;
    o->secrets = active.secret_keys;
    o->n_secrets = active.n_secret_keys;
    o->quotas = quotas.items;
    o->n_quotas = quotas.n_items;
    return 0;
}

int original_read(const char *dir, struct original *ret, struct error *e)
{
    struct original o = {.dir = xstrdup(dir)};
    if (dir[0] != '/') {
        original_done(&o);
        return error_refuse(e, EINVAL, "'%s' is not an absolute path", dir);
    }
    int r = read_config(&o, e);
    if (r >= 0)
        r = read_state(&o, e);
    if (r < 0) {
        original_done(&o);
        return r;
    }
    const char *apps = o.hostlet->app_path;
    o.app_path = apps && *apps ? xstrdup(apps) : xasprintf("%s/apps", dir);
    o.server->http_port = o.server->http_port ?: DEFAULT_HTTP_PORT;
    o.server->peer_port = o.server->peer_port ?: DEFAULT_PEER_PORT;
    *ret = o;
    return 0;
}

void original_done(struct original *o)
{
    struct config_file config = {o->server, o->hostlet};
    struct active_file active = {o->instances, o->n_instances, o->applied_revisions, o->secrets,
                                 o->n_secrets};
    struct quota_file quotas = {o->quotas, o->n_quotas};
    schema_done(&config_schema, &config);
    schema_done(&active_schema, &active);
    schema_done(&quota_file_schema, &quotas);
    free(o->dir);
    free(o->app_path);
    *o = (struct original){.dir = NULL};
}

/* --- whether it runs --- */

/* Reports whether a process is in a container, where its tenant gives a program any name. */
static bool is_in_container(const char *pid)
{
    struct stat ours, theirs;
    _cleanup_free_ char *path = xasprintf("/proc/%s/ns/pid", pid);
    return stat("/proc/self/ns/pid", &ours) >= 0 && stat(path, &theirs) >= 0 && ours.st_ino != theirs.st_ino;
}

/* Returns the process id of the original agent, whose program is named hostlet, unlike any of this tree; 0:
 * none. */
static pid_t find_process(void)
{
    DIR *proc = opendir("/proc");
    pid_t found = 0;
    for (struct dirent *d; proc && !found && (d = readdir(proc));) {
        int64_t pid;
        char target[4096];
        if (parse_int64(d->d_name, 1, INT32_MAX, &pid) < 0)
            continue;
        _cleanup_free_ char *link = xasprintf("/proc/%s/exe", d->d_name);
        ssize_t n = readlink(link, target, sizeof target - 1);
        if (n <= 0)
            continue;
        target[n] = '\0';
        const char *name = strrchr(target, '/');
        if (name && (streq(name, "/hostlet") || streq(name, "/hostlet (deleted)")) &&
            !is_in_container(d->d_name))
            found = (pid_t)pid;
    }
    if (proc)
        closedir(proc);
    return found;
}

/* Reports whether a process has the socket with this inode open: the links in /proc/PID/fd name it. */
static bool has_socket(pid_t pid, unsigned long inode)
{
    _cleanup_free_ char *path = xasprintf("/proc/%d/fd", (int)pid),
                        *wanted = xasprintf("socket:[%lu]", inode);
    DIR *fds = pid > 0 ? opendir(path) : NULL;
    bool found = false;
    for (struct dirent *d; fds && !found && (d = readdir(fds));) {
        char target[64];
        ssize_t n = readlinkat(dirfd(fds), d->d_name, target, sizeof target - 1);
        target[n < 0 ? 0 : n] = '\0';
        found = streq(target, wanted);
    }
    if (fds)
        closedir(fds);
    return found;
}

/* Reports whether a process other than 'ours' listens on a TCP port, by a table of /proc/net. */
static bool is_listening(const char *table, unsigned port, pid_t ours)
{
    FILE *file = fopen(table, "re");
    char line[512];
    bool found = false;
    while (file && !found && fgets(line, sizeof line, file)) {
        unsigned local, state;
        unsigned long inode;
        found = sscanf(line, " %*u: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*x:%*x %*x:%*x %*x %*u %*u %lu",
                       &local, &state, &inode) == 3 &&
                local == port && state == 0x0a && !has_socket(ours, inode);
    }
    if (file)
        fclose(file);
    return found;
}

int original_check_process(struct error *e)
{
    pid_t pid = find_process();
    return pid == 0 ? 0
                    : error_refuse(e, EBUSY,
                                   "the original agent runs (process %d): stop it first; its containers keep "
                                   "running",
                                   (int)pid);
}

int original_check_stopped(const struct original *o, pid_t ours, struct error *e)
{
    const int64_t ports[] = {o->server->peer_port, o->server->http_port};
    int r = original_check_process(e);
    if (r < 0)
        return r;
    for (size_t i = 0; i < ARRAY_SIZE(ports); i++)
        if (is_listening("/proc/net/tcp", (unsigned)ports[i], ours) ||
            is_listening("/proc/net/tcp6", (unsigned)ports[i], ours))
            return error_refuse(e, EADDRINUSE,
                                "a program listens on port %lld of the original agent: stop it first",
                                (long long)ports[i]);
    return 0;
}

/* --- revisions and secrets of containers --- */

int64_t original_revision(const struct original *o, const char *container)
{
    const json_t *revision = json_object_get(o->applied_revisions, container);
    return revision ? json_integer_value(revision) : -1;
}

const char *original_secret(const struct original *o, const char *container)
{
    return schema_map_get(o->secrets, o->n_secrets, container);
}

/* Implements topology.h. */
#include "lib/topology/topology.h"

#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "lib/basic/cleanup.h"
#include "lib/config/ini.h"
#include "lib/config/value.h"

struct reading {
    struct service_conf *conf;
    const char *path;
    FILE *text;
};

static void free_strings(char **strings, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(strings[i]);
    free(strings);
}

void service_conf_free(struct service_conf *conf)
{
    if (!conf)
        return;
    free(conf->name);
    free(conf->directory);
    free(conf->description);
    free(conf->exec);
    free(conf->user);
    free(conf->group);
    free_strings(conf->groups, conf->n_groups);
    free(conf->group_ids);
    free_strings(conf->capabilities, conf->n_capabilities);
    free(conf->socket);
    free(conf->public_socket);
    free(conf->tcp_enabled);
    free(conf->start_key);
    free_strings(conf->tcp, conf->n_tcp);
    free(conf->enabled);
    for (size_t i = 0; conf->peer_methods && i < conf->n_peers; i++) {
        for (char **m = conf->peer_methods[i]; m && *m; m++)
            free(*m);
        free(conf->peer_methods[i]);
    }
    free(conf->peer_methods);
    free_strings(conf->peers, conf->n_peers);
    free(conf->peer_ids);
    free_strings(conf->supervisor, conf->n_supervisor);
    free_strings(conf->needs, conf->n_needs);
    free_strings(conf->config_sections, conf->n_config_sections);
    free(conf->text);
    free(conf);
}

static void split_words(const char *text, char ***ret, size_t *ret_n)
{
    _cleanup_free_ char *copy = xstrdup(text);
    char *save = NULL;
    for (char *word = strtok_r(copy, " \t", &save); word; word = strtok_r(NULL, " \t", &save)) {
        *ret = xrealloc(*ret, *ret_n + 1, sizeof **ret);
        (*ret)[(*ret_n)++] = xstrdup(word);
    }
}

static bool parse_yes_no(const char *text, bool *ret)
{
    *ret = streq(text, "yes");
    return *ret || streq(text, "no");
}

/* A word, or a key of hostlet.conf, which check_keys() looks for. */
static bool set_start(struct service_conf *c, const char *value)
{
    bool demand = streq(value, "demand"), key = strchr(value, '.');
    c->start = demand ? START_DEMAND : START_ALWAYS;
    free(c->start_key);
    c->start_key = key ? xstrdup(value) : NULL;
    return demand || key || streq(value, "always");
}

static bool set_one(struct service_conf *c, const char *key, const char *value)
{
    struct {
        const char *key;
        char **to;
    } const strings[] = {{"description", &c->description},
                         {"exec", &c->exec},
                         {"user", &c->user},
                         {"group", &c->group},
                         {"socket", &c->socket},
                         {"enabled", &c->enabled},
                         {"public_socket", &c->public_socket},
                         {"tcp_enabled", &c->tcp_enabled}};
    struct {
        const char *key;
        char ***to;
        size_t *n;
    } const lists[] = {{"groups", &c->groups, &c->n_groups},
                       {"capabilities", &c->capabilities, &c->n_capabilities},
                       {"tcp", &c->tcp, &c->n_tcp},
                       {"peers", &c->peers, &c->n_peers},
                       {"supervisor", &c->supervisor, &c->n_supervisor},
                       {"needs", &c->needs, &c->n_needs},
                       {"config_sections", &c->config_sections, &c->n_config_sections}};
    struct {
        const char *key;
        uint64_t *to;
    } const durations[] = {{"idle_timeout", &c->idle_timeout_usec},
                           {"stop_timeout", &c->stop_timeout_usec},
                           {"ready_timeout", &c->ready_timeout_usec}};
    for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
        if (streq(key, strings[i].key)) {
            free(*strings[i].to);
            *strings[i].to = xstrdup(value);
            return *value;
        }
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
        if (streq(key, lists[i].key)) {
            split_words(value, lists[i].to, lists[i].n);
            return true;
        }
    for (size_t i = 0; i < ARRAY_SIZE(durations); i++)
        if (streq(key, durations[i].key))
            return parse_duration(value, durations[i].to) >= 0;
    if (streq(key, "network"))
        return parse_yes_no(value, &c->network);
    if (streq(key, "check"))
        return parse_yes_no(value, &c->check);
    if (streq(key, "reload"))
        return parse_yes_no(value, &c->reload);
    if (streq(key, "start"))
        return set_start(c, value);
    return false;
}

static int on_value(const char *section, const char *key, const char *value, unsigned line, void *userdata,
                    struct error *e)
{
    struct reading *r = userdata;
    if (!streq(section, "service"))
        return error_refuse(e, EINVAL, "%s:%u: unknown section [%s]", r->path, line, section);
    if (!set_one(r->conf, key, value))
        return error_refuse(e, EINVAL, "%s:%u: unknown key or bad value: %s = %s", r->path, line, key, value);
    fprintf(r->text, "%s=%s\n", key, value);
    return 0;
}

static int find_user(const char *path, const char *name, uid_t *uid, gid_t *gid, struct error *e)
{
    struct passwd *pw = getpwnam(name);
    if (!pw)
        return error_refuse(e, ESRCH,
                            "%s: the user '%s' does not exist (sysusers.d/hostlet.conf makes hostlet's)",
                            path, name);
    *uid = pw->pw_uid;
    if (gid)
        *gid = pw->pw_gid;
    return 0;
}

static int find_group(const char *path, const char *name, gid_t *gid, struct error *e)
{
    struct group *gr = getgrnam(name);
    if (!gr)
        return error_refuse(e, ESRCH,
                            "%s: the group '%s' does not exist (sysusers.d/hostlet.conf makes hostlet's)",
                            path, name);
    *gid = gr->gr_gid;
    return 0;
}

/* Resolves a peer, "USER" or "USER:METHOD,METHOD…". Only the service itself knows whether the methods
 * exist. */
static int resolve_peer(struct service_conf *c, size_t i, const char *path, struct error *e)
{
    const char *colon = strchr(c->peers[i], ':');
    _cleanup_free_ char *user =
        colon ? xstrndup(c->peers[i], (size_t)(colon - c->peers[i])) : xstrdup(c->peers[i]);
    int r = find_user(path, user, &c->peer_ids[i], NULL, e);
    if (r < 0 || !colon)
        return r;
    _cleanup_free_ char *words = xstrdup(colon + 1);
    char *rest = words;
    size_t n = 0;
    for (char *word; (word = strsep(&rest, ","));) {
        if (!*word)
            return error_refuse(e, EINVAL, "%s: peers: '%s' has an empty method name", path, c->peers[i]);
        c->peer_methods[i] = xrealloc(c->peer_methods[i], n + 2, sizeof **c->peer_methods);
        c->peer_methods[i][n++] = xstrdup(word);
        c->peer_methods[i][n] = NULL;
    }
    return 0;
}

static int resolve_names(struct service_conf *c, const char *path, struct error *e)
{
    int r = 0;
    if (c->user)
        r = find_user(path, c->user, &c->uid, &c->gid, e);
    if (r >= 0 && c->group)
        r = find_group(path, c->group, &c->gid, e);
    c->group_ids = xcalloc(c->n_groups, sizeof *c->group_ids);
    for (size_t i = 0; r >= 0 && i < c->n_groups; i++)
        r = find_group(path, c->groups[i], &c->group_ids[i], e);
    c->peer_ids = xcalloc(c->n_peers, sizeof *c->peer_ids);
    c->peer_methods = xcalloc(c->n_peers, sizeof *c->peer_methods);
    for (size_t i = 0; r >= 0 && i < c->n_peers; i++)
        r = resolve_peer(c, i, path, e);
    return r;
}

static bool names_key(const char *dotted, enum config_type type)
{
    const struct config_key *key = config_find_key(dotted);
    return key && key->type == type;
}

static int check_keys(const struct service_conf *c, const char *path, struct error *e)
{
    const struct {
        const char *name, *value;
    } conditions[] = {{"enabled", c->enabled}, {"tcp_enabled", c->tcp_enabled}, {"start", c->start_key}};
    for (size_t i = 0; i < ARRAY_SIZE(conditions); i++)
        if (conditions[i].value && !names_key(conditions[i].value, CONFIG_BOOL))
            return error_refuse(e, EINVAL, "%s: %s: hostlet.conf has no key '%s' that is yes or no", path,
                                conditions[i].name, conditions[i].value);
    if (c->tcp_enabled && c->n_tcp == 0)
        return error_refuse(e, EINVAL, "%s: 'tcp_enabled' needs 'tcp'", path);
    if (c->n_tcp > SERVICE_TCP_MAX)
        return error_refuse(e, EINVAL, "%s: tcp: more than %d ports", path, SERVICE_TCP_MAX);
    if (c->n_tcp > 0 && !c->socket)
        return error_refuse(e, EINVAL, "%s: 'tcp' needs a 'socket'", path);
    for (size_t i = 0; i < c->n_tcp; i++) {
        const struct config_key *key = config_find_key(c->tcp[i]);
        _cleanup_free_ char *listen = key ? xasprintf("%s.listen", key->section) : NULL;
        if (!key || key->type != CONFIG_NUMBER || !names_key(listen, CONFIG_STRING))
            return error_refuse(e, EINVAL,
                                "%s: tcp: hostlet.conf has no port '%s' in a section with 'listen'", path,
                                c->tcp[i]);
    }
    return 0;
}

/* The directory is one of a tree's own (hostletd/places.c). */
static bool is_public_path(const char *path)
{
    const char *slash = strchr(path, '/');
    return slash && slash > path && path[0] != '.' && slash[1] && slash[1] != '.' && !strchr(slash + 1, '/');
}

/* Checks what depends on several lines. */
static int check_whole(struct service_conf *c, const char *path, struct error *e)
{
    if (!c->exec)
        return error_refuse(e, EINVAL, "%s: 'exec' is missing", path);
    if ((c->start == START_DEMAND || c->start_key) && !c->socket)
        return error_refuse(e, EINVAL, "%s: start = demand needs a 'socket'", path);
    if (c->public_socket && !c->socket)
        return error_refuse(e, EINVAL, "%s: 'public_socket' needs a 'socket'", path);
    if (c->public_socket && !is_public_path(c->public_socket))
        return error_refuse(e, EINVAL, "%s: public_socket: '%s' is no DIRECTORY/NAME", path,
                            c->public_socket);
    int r = check_keys(c, path, e);
    if (r < 0)
        return r;
    for (size_t i = 0; i < c->n_config_sections; i++)
        if (!config_has_section(c->config_sections[i]))
            return error_refuse(e, EINVAL, "%s: config_sections: hostlet.conf has no section [%s]", path,
                                c->config_sections[i]);
    if (c->n_config_sections == 0)
        split_words(c->name, &c->config_sections, &c->n_config_sections);
    return 0;
}

static char *find_directory(const struct tree *tree, const char *name)
{
    struct stat st;
    _cleanup_free_ char *own = xasprintf("%s/svc/%s/service.conf", tree->etc, name);
    if (stat(own, &st) == 0)
        return xasprintf("%s/svc/%s", tree->etc, name);
    return xasprintf("%s/%s", tree->services, name);
}

int service_conf_load(const struct tree *tree, const char *name, struct service_conf **ret, struct error *e)
{
    struct service_conf *c = xcalloc(1, sizeof *c);
    size_t size = 0;
    c->name = xstrdup(name);
    c->directory = find_directory(tree, name);
    c->network = true;
    c->idle_timeout_usec = c->stop_timeout_usec = c->ready_timeout_usec = 10 * USEC_PER_SEC;
    _cleanup_free_ char *path = xasprintf("%s/service.conf", c->directory);
    struct reading reading = {.conf = c, .path = path, .text = open_memstream(&c->text, &size)};
    int r = ini_read(path, on_value, &reading, e);
    fclose(reading.text);
    if (r >= 0)
        r = check_whole(c, path, e);
    if (r >= 0)
        r = resolve_names(c, path, e);
    if (r < 0) {
        service_conf_free(c);
        return r;
    }
    *ret = c;
    return 0;
}

bool service_conf_peer_allowed(const struct service_conf *conf, uid_t uid)
{
    if (uid == 0)
        return true;
    for (size_t i = 0; i < conf->n_peers; i++)
        if (conf->peer_ids[i] == uid)
            return true;
    return false;
}

static bool is_yes(const char *dotted, const struct config *config)
{
    const struct config_key *key = config_find_key(dotted);
    return config_bool(config, key->section, key->name);
}

bool service_conf_enabled(const struct service_conf *conf, const struct config *config)
{
    return !conf->enabled || is_yes(conf->enabled, config);
}

enum start_mode service_conf_start(const struct service_conf *conf, const struct config *config)
{
    if (!conf->start_key)
        return conf->start;
    return is_yes(conf->start_key, config) ? START_ALWAYS : START_DEMAND;
}

size_t service_conf_tcp_ports(const struct service_conf *conf, const struct config *config)
{
    return !conf->tcp_enabled || is_yes(conf->tcp_enabled, config) ? conf->n_tcp : 0;
}

char *service_conf_public_path(const struct service_conf *conf, const struct tree *tree)
{
    return tree_state(tree, conf->public_socket);
}

bool service_conf_may_ask_supervisor(const struct service_conf *conf, const char *method)
{
    for (size_t i = 0; i < conf->n_supervisor; i++)
        if (streq(conf->supervisor[i], method))
            return true;
    return false;
}

bool service_conf_method_allowed(const struct service_conf *conf, uid_t uid, const char *method)
{
    if (uid == 0)
        return true;
    for (size_t i = 0; i < conf->n_peers; i++) {
        if (conf->peer_ids[i] != uid)
            continue;
        char **m = conf->peer_methods[i];
        if (!m)
            return true;
        for (; *m; m++)
            if (streq(*m, method))
                return true;
    }
    return false;
}

struct service_conf *topology_find(const struct topology *topology, const char *name)
{
    for (size_t i = 0; i < topology->n_services; i++)
        if (streq(topology->services[i]->name, name))
            return topology->services[i];
    return NULL;
}

void topology_done(struct topology *topology)
{
    for (size_t i = 0; i < topology->n_services; i++)
        service_conf_free(topology->services[i]);
    free(topology->services);
    *topology = (struct topology){.services = NULL};
}

/* The folder also contains files. Some filesystems do not report the type of an entry: the caller checks
 * it again. */
static int may_be_service(const struct dirent *d)
{
    return d->d_name[0] != '.' && d->d_type != DT_REG;
}

/* Adds the services of one folder that are not in the topology yet. */
static int read_folder(const struct tree *tree, const char *folder, bool must_exist, struct topology *t,
                       struct error *e)
{
    struct dirent **names = NULL;
    int n = scandir(folder, &names, may_be_service, alphasort), r = 0;
    if (n < 0)
        return errno == ENOENT && !must_exist
                   ? 0
                   : error_os(e, errno, "cannot read the services in '%s' (--services names another place)",
                              folder);
    for (int i = 0; i < n; i++) {
        struct stat st;
        _cleanup_free_ char *path = xasprintf("%s/%s", folder, names[i]->d_name);
        bool is_service = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
        if (r >= 0 && is_service && !topology_find(t, names[i]->d_name)) {
            t->services = xrealloc(t->services, t->n_services + 1, sizeof(struct service_conf *));
            r = service_conf_load(tree, names[i]->d_name, &t->services[t->n_services], e);
            if (r >= 0)
                t->n_services++;
        }
        free(names[i]);
    }
    free(names);
    return r;
}

/* Returns the first need of a service that is not among the first n (borrowed); NULL: all are. */
static const char *missing_need(const struct service_conf *c, struct service_conf **placed, size_t n)
{
    for (size_t i = 0; i < c->n_needs; i++) {
        size_t k = 0;
        while (k < n && !streq(placed[k]->name, c->needs[i]))
            k++;
        if (k == n)
            return c->needs[i];
    }
    return NULL;
}

/* Reports why no service from 'placed' on can be the next. A need that does not exist is reported before a
 * cycle, which may depend on it. */
static int refuse_needs(const struct topology *t, size_t placed, struct error *e)
{
    for (size_t i = placed; i < t->n_services; i++) {
        const char *need = missing_need(t->services[i], t->services, t->n_services);
        if (need)
            return error_refuse(e, EINVAL,
                                "service '%s': it needs '%s', and there is no service of that name",
                                t->services[i]->name, need);
    }
    return error_refuse(e, EINVAL, "service '%s': its need '%s' is part of a cycle of needs, or leads to one",
                        t->services[placed]->name, missing_need(t->services[placed], t->services, placed));
}

static int sort_by_needs(struct topology *t, struct error *e)
{
    for (size_t placed = 0; placed < t->n_services; placed++) {
        size_t i = placed;
        while (i < t->n_services && missing_need(t->services[i], t->services, placed))
            i++;
        if (i == t->n_services)
            return refuse_needs(t, placed, e);
        struct service_conf *next = t->services[i];
        memmove(&t->services[placed + 1], &t->services[placed], (i - placed) * sizeof(struct service_conf *));
        t->services[placed] = next;
    }
    return 0;
}

int topology_load(const struct tree *tree, struct topology *ret, struct error *e)
{
    struct topology t = {.services = NULL};
    _cleanup_free_ char *own = xasprintf("%s/svc", tree->etc);
    int r = read_folder(tree, tree->services, true, &t, e);
    if (r >= 0)
        r = read_folder(tree, own, false, &t, e);
    if (r >= 0)
        r = sort_by_needs(&t, e);
    if (r < 0) {
        topology_done(&t);
        return r;
    }
    *ret = t;
    return 0;
}

/* Implements settings.h. */
#include "container-driver/settings.h"

#include "config.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/un.h>

#include "container-driver/credentials.h"
#include "container-driver/seccomp_file.h"
#include "container-driver/seccomp_profile.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/schema/object.h"

#define SECTION "container-driver"

/* Builds or reads the seccomp profile, because every creation of a container sends it. *ret stays NULL for
 * the runtime's own. */
static int read_seccomp(const char *name, char **ret, struct error *e)
{
    if (streq(name, "hostlet"))
        *ret = seccomp_profile_text();
    else if (!streq(name, "runtime"))
        return seccomp_profile_read(name, ret, e);
    return 0;
}

static void read_dns(const struct config *config, const char *section, struct words *ret)
{
    _cleanup_free_ char *servers = xstrdup(config_string(config, section, "dns_servers"));
    char *rest = servers;
    for (char *word; (word = strsep(&rest, " \t\n"));)
        if (*word)
            schema_append_string(&ret->items, &ret->n, word);
}

static void free_words(struct words *words)
{
    for (size_t i = 0; i < words->n; i++)
        free(words->items[i]);
    free(words->items);
}

/* Docker writes what it is given into resolv.conf, where libc ignores everything but an address. */
static int check_dns(const struct config *config, struct error *e)
{
    struct words servers = {.n = 0};
    int r = 0;
    struct in6_addr address; /* also has room for an IPv4 address */
    read_dns(config, SECTION, &servers);
    for (size_t i = 0; r >= 0 && i < servers.n; i++)
        if (inet_pton(AF_INET, servers.items[i], &address) != 1 &&
            inet_pton(AF_INET6, servers.items[i], &address) != 1)
            r = error_refuse(e, EINVAL, "[" SECTION "] dns_servers: '%s' is not an IP address",
                             servers.items[i]);
    free_words(&servers);
    return r;
}

int settings_check(const struct config *config, struct error *e)
{
    _cleanup_free_ char *profile = NULL;
    const char *socket = config_string(config, SECTION, "docker_socket");
    int r = read_seccomp(config_string(config, SECTION, "seccomp"), &profile, e);
    if (r >= 0 && strlen(socket) >= sizeof((struct sockaddr_un *)NULL)->sun_path)
        r = error_refuse(e, ENAMETOOLONG,
                         "[" SECTION "] docker_socket: '%s' is too long for the path of a socket", socket);
    if (r >= 0)
        r = check_dns(config, e);
    if (r >= 0 && credentials_check(config_string(config, SECTION, "docker_config"), e) < 0)
        r = error_prefix(e, "[" SECTION "] docker_config");
    return r;
}

int settings_read(const struct tree *tree, const struct config *config, struct settings *ret, struct error *e)
{
    char *id = NULL;
    int r = tree_read_id(tree, &id, e);
    if (r < 0)
        return r;
    *ret = (struct settings){
        .tree_id = id,
        .apps = xstrdup(tree->apps),
        .ipk_install = tree_ipk_install(tree),
        .agents = tree_state(tree, "agents"),
        .inagent = tree_program(tree, "inagent-linux-" HOSTLET_ARCH),
        .docker_socket = xstrdup(config_string(config, SECTION, "docker_socket")),
        .docker_config = xstrdup(config_string(config, SECTION, "docker_config")),
        .request_timeout_usec = config_duration(config, SECTION, "request_timeout"),
        .pull_timeout_usec = config_duration(config, SECTION, "pull_timeout"),
        .log_driver = xstrdup(config_string(config, SECTION, "log_driver")),
        .log_max_size = config_number(config, SECTION, "log_max_size"),
        .log_max_file = config_number(config, SECTION, "log_max_file"),
        .layer_size = config_number(config, SECTION, "layer_size"),
        .lxcfs = config_bool(config, SECTION, "lxcfs"),
        .lxcfs_path = xstrdup(config_string(config, SECTION, "lxcfs_path")),
        .seccomp = xstrdup(config_string(config, SECTION, "seccomp")),
    };
    _cleanup_free_ char *state = tree_state(tree, "container-driver"),
                        *ledger = xasprintf("%s/adopted.json", state);
    r = adopted_load(ledger, &ret->adopted, e);
    if (r < 0) {
        /* Without the ledger, its containers are not this tree's, so that no method changes them. The driver
         * manages all other containers. */
        _cleanup_free_ char *problem =
            xasprintf("%s: containers of the original agent are not managed until the file is repaired and "
                      "container-driver is restarted, or until they are imported again",
                      e->message);
        log_warning("%s", problem);
        *e = (struct error)ERROR_INIT;
        ret->adopted = adopted_new_beside(ledger, problem);
    }
    r = read_seccomp(ret->seccomp, &ret->seccomp_profile, e);
    if (r < 0) {
        settings_done(ret);
        return r;
    }
    read_dns(config, SECTION, &ret->dns);
    read_dns(config, "zone", &ret->zone_dns);
    return 0;
}

void settings_done(struct settings *s)
{
    adopted_free(s->adopted);
    free(s->tree_id);
    free(s->apps);
    free(s->ipk_install);
    free(s->agents);
    free(s->inagent);
    free(s->docker_socket);
    free(s->docker_config);
    free(s->log_driver);
    free_words(&s->dns);
    free_words(&s->zone_dns);
    free(s->lxcfs_path);
    free(s->seccomp);
    free(s->seccomp_profile);
    *s = (struct settings){0};
}

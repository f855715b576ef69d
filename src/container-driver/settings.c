/* Implements settings.h. */
#include "container-driver/settings.h"

#include "container-driver/seccomp_file.h"
#include "container-driver/seccomp_profile.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/schema/object.h"

/* Builds or reads the seccomp profile once, because every creation of a container sends it. */
static int read_seccomp(struct settings *s, struct error *e)
{
    if (streq(s->seccomp, "hostlet"))
        s->seccomp_profile = seccomp_profile_text();
    else if (!streq(s->seccomp, "runtime"))
        return seccomp_profile_read(s->seccomp, &s->seccomp_profile, e);
    return 0;
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
        .docker_socket = xstrdup(config_string(config, "container-driver", "docker_socket")),
        .docker_config = xstrdup(config_string(config, "container-driver", "docker_config")),
        .request_timeout_usec = config_duration(config, "container-driver", "request_timeout"),
        .pull_timeout_usec = config_duration(config, "container-driver", "pull_timeout"),
        .log_driver = xstrdup(config_string(config, "container-driver", "log_driver")),
        .log_max_size = config_number(config, "container-driver", "log_max_size"),
        .log_max_file = config_number(config, "container-driver", "log_max_file"),
        .layer_size = config_number(config, "container-driver", "layer_size"),
        .lxcfs = config_bool(config, "container-driver", "lxcfs"),
        .lxcfs_path = xstrdup(config_string(config, "container-driver", "lxcfs_path")),
        .seccomp = xstrdup(config_string(config, "container-driver", "seccomp")),
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
    r = read_seccomp(ret, e);
    if (r < 0) {
        settings_done(ret);
        return r;
    }
    _cleanup_free_ char *servers = xstrdup(config_string(config, "container-driver", "dns_servers"));
    char *rest = servers;
    for (char *word; (word = strsep(&rest, " \t\n"));)
        if (*word)
            schema_append_string(&ret->dns, &ret->n_dns, word);
    return 0;
}

void settings_done(struct settings *s)
{
    adopted_free(s->adopted);
    free(s->tree_id);
    free(s->apps);
    free(s->ipk_install);
    free(s->docker_socket);
    free(s->docker_config);
    free(s->log_driver);
    for (size_t i = 0; i < s->n_dns; i++)
        free(s->dns[i]);
    free(s->dns);
    free(s->lxcfs_path);
    free(s->seccomp);
    free(s->seccomp_profile);
    *s = (struct settings){0};
}

/* Reads the topology from data: svc/NAME/service.conf defines a service's program, user, sockets and
 * callers. hostletd reads all of them, each service its own. */
#pragma once

#include <sys/types.h>

#include "lib/config/config.h"
#include "lib/paths/tree.h"

#define SERVICE_TCP_MAX 4

enum start_mode { START_ALWAYS, START_DEMAND };

struct service_conf {
    char *name, *directory;
    char *description;
    char *exec;  /* program, found with tree_program() unless its path is absolute */
    char *user;  /* NULL: root */
    char *group; /* NULL: the user's group */
    uid_t uid;
    gid_t gid;
    char **groups; /* supplementary, by name */
    gid_t *group_ids;
    size_t n_groups;
    /* "CAP_CHOWN", …: the capabilities that are kept; all others are dropped, for root, too. */
    char **capabilities;
    size_t n_capabilities;
    bool network; /* false: an empty network namespace */
    char *socket; /* name: RUN/NAME.sock */
    /* Path below VAR/hostlet of a second Unix socket, which every user can open and containers can have
     * mounted: "agents/agent.sock"; NULL: none. */
    char *public_socket;
    /* Keys of hostlet.conf that define TCP ports to listen on: "zone.peer_port". */
    char **tcp;
    size_t n_tcp;
    char *tcp_enabled; /* key of hostlet.conf that must be yes for that; NULL: they are always listened on */
    /* Key of hostlet.conf that must be yes for the service to start: "zone.enable"; NULL: it always
     * starts. */
    char *enabled;
    /* Users that may call, as written: USER, or USER:METHOD,METHOD. Root may call every method. */
    char **peers;
    uid_t *peer_ids;
    char ***peer_methods; /* for each peer, names terminated by NULL; NULL: all methods */
    size_t n_peers;
    /* Methods of hostletd that the service's user may call, of those that change nothing. */
    char **supervisor;
    size_t n_supervisor;
    char **needs; /* services that start before this one and stop after it */
    size_t n_needs;
    enum start_mode start;
    char *start_key; /* key of hostlet.conf: 'start' is always while it is yes, and demand otherwise; NULL:
                        none */
    bool check;      /* the program judges its configuration when it is run with --check */
    bool reload;     /* the process reads its input again when it receives SIGHUP */
    /* Sections of hostlet.conf that the service reads beside [hostlet]: a change restarts it. Default: the
     * section with its own name. */
    char **config_sections;
    size_t n_config_sections;
    uint64_t idle_timeout_usec, stop_timeout_usec, ready_timeout_usec;
    char *text; /* normalised, to detect changes */
};

struct topology {
    struct service_conf **services; /* sorted: a service follows those that it needs */
    size_t n_services;
};

/* Reads every service directory below tree->services and ETC/svc; ETC/svc/NAME overrides an installed one.
 * Refuses unknown keys, users or needs, cycles and invalid values, with a message that names the file or
 * service, and the line. */
int topology_load(const struct tree *tree, struct topology *ret, struct error *e);
void topology_done(struct topology *topology);
struct service_conf *topology_find(const struct topology *topology, const char *name);

/* Reads one service. */
int service_conf_load(const struct tree *tree, const char *name, struct service_conf **ret, struct error *e);
void service_conf_free(struct service_conf *conf);
/* Report whether this user may call the service at all, and whether it may call this method (without the
 * interface's name). */
bool service_conf_peer_allowed(const struct service_conf *conf, uid_t uid);
bool service_conf_method_allowed(const struct service_conf *conf, uid_t uid, const char *method);
/* Reports whether this service may call this method of hostletd. */
bool service_conf_may_ask_supervisor(const struct service_conf *conf, const char *method);

/* Reports whether hostlet.conf enables the service. */
bool service_conf_enabled(const struct service_conf *conf, const struct config *config);
/* Returns how hostlet.conf has the service started. */
enum start_mode service_conf_start(const struct service_conf *conf, const struct config *config);
/* Returns how many TCP ports hostlet.conf has listened on: all of them, or 0. */
size_t service_conf_tcp_ports(const struct service_conf *conf, const struct config *config);
/* Returns the path of the public socket. The caller frees it. */
char *service_conf_public_path(const struct service_conf *conf, const struct tree *tree);

/* The topology is data: svc/NAME/service.conf says what a service runs, as whom, with which sockets, who may
 * call it. Read by hostletd and by each service about itself. */
#pragma once

#include <sys/types.h>

#include "lib/config/config.h"
#include "lib/paths/tree.h"

#define SERVICE_TCP_MAX 4

enum start_mode { START_ALWAYS, START_DEMAND };

struct service_conf {
    char *name, *directory;
    char *description;
    char *exec;  /* program, found by tree_program() unless absolute */
    char *user;  /* NULL: root */
    char *group; /* NULL: the user's */
    uid_t uid;
    gid_t gid;
    char **groups; /* supplementary, by name */
    gid_t *group_ids;
    size_t n_groups;
    char **capabilities; /* "CAP_CHOWN" … kept; everything else is dropped, for root too */
    size_t n_capabilities;
    bool network; /* false: an empty network namespace */
    char *socket; /* name: RUN/NAME.sock */
    char **tcp;   /* keys of hostlet.conf that hold TCP ports to listen on: "zone.peer_port" */
    size_t n_tcp;
    char *enabled; /* key of hostlet.conf without whose yes it is not started: "zone.enable"; NULL: always */
    char **peers; /* users that may call, as written: USER, or USER:METHOD,METHOD; root may call everything */
    uid_t *peer_ids;
    char ***peer_methods; /* of each: names that end with NULL; NULL: all methods */
    size_t n_peers;
    char **supervisor; /* methods of hostletd that its user may call, of those that change nothing */
    size_t n_supervisor;
    char **needs; /* services that are started before, and stopped after this one */
    size_t n_needs;
    enum start_mode start;
    char **config_sections; /* of hostlet.conf that it reads, beside [hostlet]: a change there restarts it; by
                               default the one of its own name */
    size_t n_config_sections;
    uint64_t idle_timeout_usec, stop_timeout_usec, ready_timeout_usec;
    char *text; /* normalised, to see whether something changed */
};

struct topology {
    struct service_conf **services; /* sorted: needs before those that need them */
    size_t n_services;
};

/* Reads every service directory below tree->services, ETC/svc/NAME winning over the one that came with the
 * programs. Unknown keys, users or needs, cycles and bad values are refused, naming file and line. */
int topology_load(const struct tree *tree, struct topology *ret, struct error *e);
void topology_done(struct topology *topology);
struct service_conf *topology_find(const struct topology *topology, const char *name);

/* One service. */
int service_conf_load(const struct tree *tree, const char *name, struct service_conf **ret, struct error *e);
void service_conf_free(struct service_conf *conf);
/* Whether this user may call at all, and whether it may call this method (without the interface's name). */
bool service_conf_peer_allowed(const struct service_conf *conf, uid_t uid);
bool service_conf_method_allowed(const struct service_conf *conf, uid_t uid, const char *method);
/* Whether this service may call this method of hostletd. */
bool service_conf_may_ask_supervisor(const struct service_conf *conf, const char *method);

/* Whether hostlet.conf lets it run. */
bool service_conf_enabled(const struct service_conf *conf, const struct config *config);

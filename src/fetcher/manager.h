/* Manages the requests: the downloads, the calls that share them, and how many transfers run at the same
 * time. */
#pragma once

#include "fetcher/download.h"

struct manager {
    struct fetcher fetcher;
    struct repository *repositories;
    struct download *downloads; /* oldest first */
    struct resolve *resolves;
    sd_event_source *schedule;
};

/* Checks the configuration: repositories, and the files for TLS. Returns 0, or a negative errno (refused). */
int manager_check(const struct config *config, struct error *e);
/* Creates the manager. 'wall' is used during the call alone. Takes ownership of *credentials (NULL: none),
 * also on failure. Returns 0 or a negative errno. */
int manager_new(sd_event *event, const struct tree *tree, const struct config *config,
                struct wall_guard *wall, struct credentials **credentials, struct manager **ret,
                struct error *e);
void manager_free(struct manager *manager);

/* Handle a call: they reply to it later, or return a negative errno with 'e' set. manager_remove() returns 0
 * and the caller replies. */
int manager_resolve(struct manager *manager, struct varlink_call *call, const struct fetcher_resolve_in *in,
                    struct error *e);
int manager_fetch(struct manager *manager, struct varlink_call *call, const struct package_reference *package,
                  struct error *e);
int manager_remove(struct manager *manager, const char *name, const char *id, struct error *e);

/* Schedules, for the next iteration of the loop, that queued downloads get free slots and finished ones are
 * freed. */
void manager_reschedule(struct manager *manager);
bool manager_busy(const struct manager *manager);

/* Returns 0, or −ENOENT (not found) with an error that names 'package' if no repository is configured. */
int manager_has_repositories(const struct manager *manager, const char *package, struct error *e);

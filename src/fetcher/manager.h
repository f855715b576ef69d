/* The requests: which downloads there are, who shares them, how many run at once. */
#pragma once

#include "fetcher/download.h"

struct manager {
    struct fetcher fetcher;
    struct repository *repositories;
    struct download *downloads; /* oldest first */
    struct resolve *resolves;
    sd_event_source *schedule;
};

/* Takes *credentials (NULL where there are none). */
int manager_new(sd_event *event, const struct tree *tree, const struct config *config,
                struct credentials **credentials, struct manager **ret, struct error *e);
void manager_free(struct manager *manager);

/* Each answers the call later, or fails now. */
int manager_resolve(struct manager *manager, struct varlink_call *call, const struct fetcher_resolve_in *in,
                    struct error *e);
int manager_fetch(struct manager *manager, struct varlink_call *call, const struct package_reference *package,
                  struct error *e);
int manager_remove(struct manager *manager, const char *name, const char *id, struct error *e);

/* Soon: begins what waits and has a slot, frees what is over. */
void manager_reschedule(struct manager *manager);
bool manager_busy(const struct manager *manager);

/* 0, or not found, naming 'package', when no repository is configured. */
int manager_has_repositories(const struct manager *manager, const char *package, struct error *e);

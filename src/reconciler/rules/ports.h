/* Host ports of replicas. */
#pragma once

#include "reconciler/model/instance.h"

/* Whether some program of this machine listens on it (TCP, any address). */
bool port_is_listened_on(int64_t port);

/* The instance that has been given this host port, other than for 'except', or NULL. */
const struct instance *port_owner(const struct manager *m, int64_t port, const struct record_replica *except,
                                  int64_t *ret_replica);

/* The host port that the manifest itself asks for, or 0. */
int64_t port_wished(const struct app_manifest *manifest, int64_t replica_id, int64_t port);

int ports_resolve(struct manager *m, const struct record *record, const struct app_manifest *manifest,
                  struct record_replica *replica, struct error *e);

/* Checks and converts the instances that a zone's leader sends. */
#pragma once

#include "lib/api/app.h"

/* Returns the replica with this id that is bound to the host 'host_id' (borrowed), or NULL: a zone's
 * instance has replicas on several hosts. */
struct app_replica *app_find_replica_of(const struct app_manifest *manifest, int64_t id, const char *host_id);

/* Returns what this machine stores of an instance that the zone's leader sent: everything but the echo of
 * its own reports (deploy.stages, status), with limits from spec.resources where deploy has none, and
 * hostlet's options at their defaults. The caller frees it. */
struct app_manifest *app_zone_manifest(const struct app_instance *instance);

/* Checks that this machine can run a zone's instance, as far as its own replicas are concerned. Members
 * that only inagent reads are not checked, since the leader has accepted them. Returns 0, or −EINVAL or
 * −E2BIG (refused). */
int app_check_zone(const struct app_instance *instance, const char *host_id, struct error *e);

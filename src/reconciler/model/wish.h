/* Reads the desired state of instances and replicas from records, settings and the zone's facts, and makes
 * the request for a container from it. No function here changes anything. */
#pragma once

#include "reconciler/model/instance.h"

/* Returns the desired revision. */
struct record_revision *instance_target(const struct instance *instance);
/* Reports whether inagent runs in the revision's containers; true if 'revision' is NULL. */
bool has_agent(const struct record_revision *revision);
/* Reports whether the revision's replicas have a directory with a quota: for inagent's files, or for volumes.
 */
bool has_data(const struct record_revision *revision);
/* Returns the paths of the revision's volumes, sorted: the manifest's, and those of the image, which are
 * known when the revision was prepared. The caller frees the array and not the paths. */
char **volumes_of(const struct record_revision *revision, size_t *ret_n);
/* Returns the desired action: the record's, unless a hold or the setting 'unassigned' overrides it. */
enum app_action instance_action(const struct instance *instance);
/* Returns the revision that stages have: of a zone's instance, the number of its last order. */
int64_t instance_revision(const struct instance *instance);
/* Returns the zone's host id for a zone's instance, else the machine's own; NULL: it cannot be read. */
const char *instance_host_id(const struct instance *instance);
/* Returns the path that the manifest of an instance has in the directory of manifests; NULL: there is no such
 * directory. The caller frees it. */
char *manifest_path(const struct manager *m, const char *name);
/* Reports whether others than this machine's administrators decide over the instance: the zone, or its file
 * in the directory of manifests. */
bool instance_is_ordered(const struct instance *instance);
/* Reports whether an instance is destroyed and can be dropped: it has no replicas, and nobody orders it, or
 * the zone no longer does. */
bool instance_is_over(const struct instance *instance);
/* Reports whether a destroyed replica stays in the record: the zone still assigns it to this machine and
 * receives its stages, or its instance's file exists. */
bool replica_stays_known(const struct replica *replica);
/* Returns why nothing is done for the instance: the machine's host id or the zone's facts cannot be read.
 * NULL: work is possible. */
const char *instance_blocked(const struct instance *instance);
enum want replica_want(const struct replica *replica);
/* Reports whether the replica keeps its applied revision, whatever is desired: its switch failed, or it is no
 * longer assigned. */
bool replica_keeps_applied(const struct replica *replica);
/* Returns the revision that the engine chose for the replica's step in progress (engine/target.h), or, before
 * the first choice, the revision that the replica is to run in the end. */
int64_t replica_target_revision(const struct replica *replica);
/* Returns that revision's entry in the record. */
const struct record_revision *target_of(const struct replica *replica);
char *container_name(const struct replica *replica); /* the caller frees it */
/* Returns the probation of a revision whose application does not report that it is ready. */
uint64_t replica_probation_msec(const struct replica *replica);

struct port_list {
    struct app_service_port *const *items;
    size_t n_items;
};
/* Returns the ports of a container of this revision; they belong to the record. */
struct port_list replica_ports(const struct replica *replica, int64_t revision);
/* Returns the replica's address in the zone's network, as the revision's own manifest states it: a rollback
 * restores the previous address. NULL: none. */
const char *replica_vpc_ipv4(const struct replica *replica, const struct record_revision *revision);
/* Makes the request that creates a container of the revision. The caller frees it with free_create(). */
struct driver_create_in *make_create(const struct replica *replica, const struct record_revision *revision);
void free_create(struct driver_create_in *create);
/* Returns the label with the hash of its definition that the current container has to have: that of 'create',
 * which was made for 'revision', or its own, if an earlier version made it from an equal definition. It
 * points into one of them. */
const char *desired_label(const struct replica *replica, const struct record_revision *revision,
                          const struct driver_create_in *create);
int64_t stop_timeout_msec(const struct replica *replica);
/* Returns what rules/drift.h compares a container with. It points into 'create', which was made for
 * 'revision', and into the current container. */
struct drift_wish drift_wish_of(const struct replica *replica, const struct record_revision *revision,
                                const struct driver_create_in *create);

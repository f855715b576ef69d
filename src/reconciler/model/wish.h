/* What is wanted of instances and their replicas. Nothing here changes anything. */
#pragma once

#include "reconciler/model/instance.h"

struct record_revision *instance_target(const struct instance *instance);
bool has_data(const struct record_revision *revision); /* init = inagent */
/* What is wanted: the order, or what a hold or the configuration makes of it: start, stop, destroy, none.
 */
enum app_action instance_action(const struct instance *instance);
enum app_action replica_action(const struct replica *replica);
int64_t instance_revision(const struct instance *instance); /* the number that its stages carry */
const char *instance_host_id(const struct instance *instance);
/* Whether nothing is left of it, and nobody is to hear of it any more. */
bool instance_is_over(const struct instance *instance);
/* Whether a replica that is gone is still shown: the zone is to hear of it, until it has it no more. */
bool replica_stays_known(const struct replica *replica);
/* Why nothing at all is done for the instance: something that it is made from cannot be read. NULL: it may go
 * on. */
const char *instance_blocked(const struct instance *instance);
enum want replica_want(const struct replica *replica);
int64_t replica_target_revision(const struct replica *replica);
const struct record_revision *target_of(const struct replica *replica);
char *container_name(const struct replica *replica); /* the caller frees */
uint64_t replica_probation_msec(const struct replica *replica);

struct port_list {
    struct app_service_port *const *items;
    size_t n_items;
};
/* The host ports that a container of this revision has. */
struct port_list replica_ports(const struct replica *replica, int64_t revision);
const char *replica_vpc_ipv4(const struct replica *replica,
                             const struct record_revision *revision); /* or NULL */
struct driver_create_in *make_create(const struct replica *replica, const struct record_revision *revision);
void free_create(struct driver_create_in *create);
/* Hash of what a container is made from; 'image' may be NULL. The caller frees. */
char *create_config(const struct driver_create_in *create, const char *image);
int64_t stop_timeout_msec(const struct replica *replica);
/* What a container of the revision has; borrows from 'create', which was made for the revision. */
struct drift_wish drift_wish_of(const struct replica *replica, const struct record_revision *revision,
                                const struct driver_create_in *create);

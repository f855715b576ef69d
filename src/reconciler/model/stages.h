/* Stores the stages of the contract (section 6) for each replica: callers see them, and the zone receives
 * them.
 *
 * A stage that is done again, by a retry or a start after a stop, keeps 'created', as the contract says, and
 * has the begin of its present attempt besides.
 *
 * All stages in a replica's list have the revision of the instance's last order; an order with another
 * number, also a lower one, clears the list. Hostlet's stages are written by these functions alone, and
 * inagent's by its reports alone. */
#pragma once

#include "reconciler/model/instance.h"

/* Sets a stage, and notifies watchers and saves soon if it changed. While the zone's order is not followed,
 * only host_recv is set, since other work does not belong to that order. 'message' may be NULL. */
void stage_set(struct replica *replica, enum app_stage_name name, enum app_stage_state state,
               const char *message);
/* Sets a stage that takes no time to success, at present, also if it was that before. */
void stage_repeat(struct replica *replica, enum app_stage_name name);
/* Sets host_recv of all replicas in a record that has a new order of the zone and is not saved yet. 'now' is
 * in unix milliseconds. */
void stages_received(struct record *record, int64_t now);
/* Sets all of hostlet's stages in the list to success, since the revision passed its probation: the reply
 * that would have ended one of them may have been lost in a restart. */
void stages_proven(struct replica *replica);
/* Sets a failed stage to success: what it was to achieve is so now, without this stage. */
void stage_overcome(struct replica *replica, enum app_stage_name name);
/* Replaces inagent's stages. Takes ownership of the stages, not of the array. */
void stages_of_agent(struct replica *replica, struct app_stage **stages, size_t n);
/* Sets a stage in progress to pending, since its work was cancelled. */
void stage_interrupt(struct replica *replica, enum app_stage_name name);
/* Sets a stage of all replicas that are to run and have not applied the desired revision. */
void instance_stage_set(struct instance *instance, enum app_stage_name name, enum app_stage_state state,
                        const char *message);

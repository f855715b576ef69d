/* The deploy stages of the contract, kept per replica. */
#pragma once

#include "reconciler/model/instance.h"

void stage_set(struct replica *replica, enum app_stage_name name, enum app_stage_state state,
               const char *message);
/* An order of the zone is in the record: its first stage goes to disk with it. */
void stages_received(struct record *record, int64_t now); /* unix milliseconds */
void stages_proven(struct replica *replica);              /* its revision runs: whatever led here is over */
/* Replaces those of the agent. Takes the stages, not the array. */
void stages_of_agent(struct replica *replica, struct app_stage **stages, size_t n);
void instance_stage_set(struct instance *instance, enum app_stage_name name, enum app_stage_state state,
                        const char *message);

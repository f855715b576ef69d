/* Stores what a container's agent reported beside its stages: the tasks, whether the application is ready,
 * and its own text. The tasks' results outlast a restart of the container, and a new container begins
 * without; 'ready' and the text end with the container's processes. */
#pragma once

#include "reconciler/model/instance.h"

/* Replaces the report. Takes ownership of 'agent', whose 'reported' it sets. If it changed, saves it as
 * sparingly as the agent's stages and notifies watchers. */
void agent_set(struct replica *replica, struct record_agent *agent);
/* Drops the report, since the container was replaced. */
void agent_drop(struct replica *replica);
/* Drops 'ready' and 'status', since the container's processes ended. */
void agent_ended(struct replica *replica);
/* Does the same if the inspected container does not run, or was started after the report. */
void agent_seen(struct replica *replica);

/* Stores what a container's agent reported beside its stages: the tasks, whether the application is ready,
 * and its own text. The tasks' results outlast a restart of the container, and a new container begins
 * without; 'ready' and the text end with the container's processes.
 *
 * They belong to one life of one container. The report has the begin of the container's id, and digits that
 * inagent makes at its start. A report with new digits counts once an inspection that began after it has
 * shown the container's start; when another start is seen, or the container does not run, that life is over,
 * and what still arrives of it is dropped. Reports of one container arrive in their order. */
#pragma once

#include "reconciler/model/instance.h"

/* Reports whether the agent may make this report now, and counts it. One with new digits causes an
 * inspection, and one that says 'ready' a write at once. A tenant can invent any number of them, so that
 * these are limited: more than a container that starts and fails in a loop makes. */
bool agent_may_report(struct replica *replica, const struct record_agent *agent);
/* Replaces the report. Takes ownership of 'agent', whose 'reported' it sets. If it changed, saves it as
 * sparingly as the agent's stages and notifies watchers. */
void agent_set(struct replica *replica, struct record_agent *agent);
/* Drops the report, since the container was replaced. */
void agent_drop(struct replica *replica);
/* Drops 'ready' and 'status', since the container's processes ended. */
void agent_ended(struct replica *replica);
/* Does the same if the inspected container does not run, or was started after the report. */
void agent_seen(struct replica *replica);

/* Converts manifests to the one form that is stored and compared. */
#pragma once

#include "lib/api/app.h"

/* Converts a checked manifest to the one form that is stored and compared: the instance's name in
 * meta.name; limits from spec.resources where deploy has none; one replica 0 where there is none, replicas
 * sorted by id; configs from the spec's defaults where deploy has none; default options and the default of
 * ready_timeout made explicit; members that only a zone sets removed (ids of hosts, addresses, states,
 * stages, dependencies, revisions, times). Idempotent. Returns 0, or a negative errno if a limit cannot be
 * parsed. */
int app_normalise(struct app_manifest *manifest, struct error *e);

/* Reports whether two normalised manifests belong to the same revision: they may differ in the limits,
 * action, the set of replicas, pull, probation, stop_timeout, parallel, the tasks' ready_timeout and the
 * spec's description. Host ports of a replica that is in both must be equal. */
bool app_same_revision(const struct app_manifest *a, const struct app_manifest *b);

/* Returns the task that shows when the application is ready, or NULL. 'spec' may be NULL. */
struct app_task *app_ready_task(const struct app_spec *spec);

/* Makes explicit the options of hostlet that have a fixed default. */
void app_default_options(struct app_manifest *manifest);

/* Changes the desired state of instances. Each change is on disk before work begins. */
#pragma once

#include "reconciler/model/instance.h"

/* The file of a manifest in the directory of manifests. */
struct apply_source {
    const char *file;
    int64_t mounts; /* see struct record */
};

/* Makes the manifest the desired state of the instance 'out->name', if the plan in 'out' has changes and no
 * refusals. Sets out->revision. 'source' NULL: the request is local. */
int apply_manifest(struct manager *m, struct app_manifest *manifest, const struct apply_source *source,
                   struct reconciler_apply_out *out, struct error *e);
/* Sets the desired action, by which failures are retried, too. During a hold sets the hold's action instead.
 * The caller frees 'out' with apply_out_done(), also on failure. */
int apply_action(struct instance *instance, enum app_action action, bool purge,
                 struct reconciler_apply_out *out, struct error *e);
/* Adds the replicas that are in the record and not in the instance. */
void instance_add_replicas(struct instance *instance);
/* Saves the record and makes it the instance's, or adds a new instance if '*instance' is NULL. Takes
 * ownership of the record, also on failure. */
int apply_record(struct manager *m, struct instance **instance, struct record *record, struct error *e);
/* Sets the error to all refusals of a plan. Returns −EINVAL (refused). */
int apply_refuse(const struct reconciler_apply_out *out, struct error *e);
/* Frees the members of 'out'. */
void apply_out_done(struct reconciler_apply_out *out);
/* Keeps the record that cannot be read as PATH.unreadable, and destroys all objects of the name on this
 * machine by a new record. If the name is not valid, no object can have it, and only the file is renamed.
 * Frees 'u' on success. */
int apply_destroy_unreadable(struct manager *m, struct unreadable *u, bool purge, struct error *e);

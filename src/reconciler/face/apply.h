/* From a manifest, or an order, into the record. */
#pragma once

#include "reconciler/model/instance.h"

int apply_manifest(struct manager *m, struct app_manifest *manifest, struct reconciler_apply_out *out,
                   struct error *e);
int apply_action(struct instance *instance, enum app_action action, bool purge,
                 struct reconciler_apply_out *out, struct error *e);
void instance_add_replicas(struct instance *instance); /* those that are in the record alone */
/* Makes a record the instance's, durably, or a new instance of it. Takes the record, also on failure. */
int apply_record(struct manager *m, struct instance **instance, struct record *record, struct error *e);
void apply_out_done(struct reconciler_apply_out *out);
/* Keeps the file aside, and destroys what the name has on this machine. 'u' is gone where it succeeds. */
int apply_destroy_unreadable(struct manager *m, struct unreadable *u, bool purge, struct error *e);

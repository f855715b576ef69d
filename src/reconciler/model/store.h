/* Reads and writes the records: one file for each instance, replaced atomically. */
#pragma once

#include "reconciler/model/instance.h"

/* Reads all records and adds their instances to the manager. A record that cannot be read becomes a 'struct
 * unreadable'. Fails only if the directory cannot be read or made. */
int store_load(struct manager *m, struct error *e);
/* Writes the record. It is on disk when the function returns 0. */
int store_save(struct instance *instance, struct error *e);
/* Plans a write within a second, for changes that may be lost in a crash. */
void store_save_soon(struct instance *instance);
/* Plans a write for changes that a tenant can cause at any rate. The first few calls write within a second;
 * further ones write once in ten seconds. A write for another reason in the meantime replaces the planned
 * one. */
void store_save_sparingly(struct instance *instance);
/* Removes the record's file. A failure is logged. */
void store_remove(struct instance *instance);

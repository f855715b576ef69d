/* The files of the records: one per instance, one writer, replaced atomically. */
#pragma once

#include "reconciler/model/instance.h"

int store_load(struct manager *m, struct error *e);
int store_save(struct instance *instance, struct error *e); /* durable when it returns 0 */
void store_save_soon(struct instance *instance);            /* within a second; for what may be lost */
/* The same for what a tenant may change as often as he likes: soon at first, and then seldom. Any other save
 * has it too. */
void store_save_sparingly(struct instance *instance);
void store_remove(struct instance *instance);

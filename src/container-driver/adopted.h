/* The adoption ledger: containers that the agent before us made. They carry no label of ours, and no
 * container can be given one; so that they are taken over as they run, an administrator's import writes them
 * down here.
 *
 * VAR/hostlet/container-driver/adopted.json, whose one writer is the driver. */
#pragma once

#include "lib/api/container_driver.h"

struct adopted;

/* Reads the ledger 'path'; one that is not there is empty. A newer format cannot be read. */
int adopted_load(const char *path, struct adopted **ret, struct error *e);
/* An empty one in the place of a ledger that cannot be read, for the reason 'problem': that one is kept aside
 * when this one is first written. */
struct adopted *adopted_new_beside(const char *path, const char *problem);
const char *adopted_problem(const struct adopted *a); /* NULL: none, or no longer */
void adopted_free(struct adopted *a);                 /* NULL is fine */

bool adopted_is_empty(const struct adopted *a);
bool adopted_has(const struct adopted *a, const char *id);

/* What the ledger makes of a container that a runtime described: ours, with its revision, where it is in
 * there. NULL is an empty ledger. */
void adopted_claim(const struct adopted *a, struct driver_container *c);

/* Writes a container down; durable when it returns 0. Again with another revision replaces the entry. */
int adopted_add(struct adopted *a, const struct driver_container *c, int64_t revision, struct error *e);
/* It was removed. What cannot be written is said and left: the entry names nothing any more. */
void adopted_drop(struct adopted *a, const char *id);

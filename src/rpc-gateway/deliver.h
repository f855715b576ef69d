/* What a leader answered, on its way to the reconciler: first the facts of this machine, then each instance
 * that is not what it was, then the list of all names. One call at a time, one instance unpacked at a time:
 * an answer may be large, and most of it is what the last one was. A reconciler that is not there is waited
 * for; an answer that comes meanwhile takes the place of the one that waits. */
#pragma once

#include "lib/api/reconciler.h"
#include "rpc-gateway/calls.h"

struct deliver;

struct deliver *deliver_new(const struct caller *caller);
void deliver_free(struct deliver *d); /* NULL is fine */

/* Copied. */
void deliver_facts(struct deliver *d, const struct reconciler_zone_facts *facts);
/* The bytes of a HostStatusUpdateResponse, which are taken: a whole number of fields, of which nothing else
 * is known. What cannot be taken of it is a problem, and keeps nothing else from its turn. */
void deliver_answer(struct deliver *d, uint8_t *data, size_t size);
/* The zone is left: nothing is assigned any more. */
void deliver_nothing(struct deliver *d);
/* The reconciler has begun a new life: what it was told is told again. */
void deliver_forget(struct deliver *d);

/* How many instances of the last answer wait to be looked at. */
size_t deliver_waiting(const struct deliver *d);
/* What of the last answer could not be taken, and why. */
char *const *deliver_problems(const struct deliver *d, size_t *ret_n);

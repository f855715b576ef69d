/* What a leader answered, on its way to the reconciler: first the facts of this machine, then each instance
 * that is not what it was, then the list of all names. One call at a time, one instance unpacked at a time:
 * an answer may be large, and most of it is what the last one was. A reconciler that is not there is waited
 * for; an answer that comes meanwhile takes the place of the one that waits. */
#pragma once

#include "lib/api/reconciler.h"
#include "lib/loop/retry.h"
#include "lib/loop/timer.h"
#include "rpc-gateway/calls.h"
#include "rpc-gateway/deliver_known.h"
#include "rpc-gateway/problems.h"

struct answer_bytes {
    uint8_t *data; /* NULL: none */
    size_t size;
};

struct deliver {
    struct caller caller;
    struct timer timer; /* begins a run: soon, or after a failure */
    struct retry retry;
    bool running;
    struct call *call;

    struct reconciler_zone_facts *facts, *facts_told;
    char *facts_problem; /* of those that were told */
    struct known_list known;
    bool list_whole;    /* what is known is all that an answer had */
    bool assigned_told; /* the reconciler has the list as it is */

    struct answer_bytes waiting; /* takes the place of the one that is being delivered */
    struct answer_bytes now;     /* kept until all of it was delivered */
    size_t at, n_instances, n_seen;
    unsigned count;      /* of answers, and of tries */
    bool not_understood; /* something in the answer: its list of names is not complete */
    struct problems problems, shown;

    /* The instance that is being put. */
    struct deliver_hash put_raw, put_clean;
    char *put_name;
    /* The one that the last try ended at comes last, so that the others have their turn. */
    char *failed_name;
    struct answer_bytes postponed; /* a part of 'now' */
    bool postponed_done;
};

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

/* For the parts of it (deliver_instances.c). */

/* Notes what is wrong: logged when it comes, and shown for as long as it is so. */
void deliver_problem(struct deliver *d, const char *fmt, ...) _printf_(2, 3);
/* Notes that an instance is in this answer, and its problem. */
void deliver_see(struct deliver *d, struct known *k);
/* Calls the reconciler; one call at a time. */
void deliver_put(struct deliver *d, const struct reconciler_zone_in *in, varlink_answer_fn on_answer);
/* Whether an error will come again, however often the same is said. */
bool deliver_is_refusal(const struct error *e);
/* Tells all of it again after a pause, since the reconciler was not to be had. */
void deliver_run_failed(struct deliver *d, const struct error *e);
/* Goes on until a call is under way, or to the end. Absence is no order, but it is told: of an answer that
 * was understood as a whole. */
void deliver_advance(struct deliver *d);

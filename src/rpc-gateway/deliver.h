/* Delivers a leader's answer to the reconciler: first the facts of this machine, then each instance that
 * differs from the last answer, then the list of all names. One call runs at a time, and one instance is
 * unpacked at a time, because an answer can be large and most of it equals the last one. While the
 * reconciler cannot be reached, delivery is retried; a newer answer replaces one that waits. */
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
    struct timer timer; /* starts a run: soon, or after a failure */
    struct retry retry;
    bool running;
    struct call *call;

    struct reconciler_zone_facts *facts, *facts_told;
    char *facts_problem; /* why the reconciler refused the last facts; NULL: it did not */
    struct known_list known;
    bool list_whole;    /* 'known' contains all instances of a complete answer */
    bool assigned_told; /* the reconciler has the present list */

    struct answer_bytes waiting; /* replaces 'now' in the next run */
    struct answer_bytes now;     /* kept until it is completely delivered */
    size_t at, n_instances, n_seen;
    unsigned count;      /* number of the run */
    bool not_understood; /* a part of the answer could not be read, so that its list of names is incomplete */
    struct problems problems, shown;

    /* The instance of the call in progress. */
    struct deliver_hash put_raw, put_clean;
    char *put_name;
    /* The instance at which the last run failed; it is delivered last, so that it does not block the
     * others. */
    char *failed_name;
    struct answer_bytes postponed; /* points into 'now' */
    bool postponed_done;
};

struct deliver *deliver_new(const struct caller *caller);
void deliver_free(struct deliver *d); /* NULL does nothing */

/* Delivers new facts, which are copied. */
void deliver_facts(struct deliver *d, const struct reconciler_zone_facts *facts);
/* Delivers the bytes of a HostStatusUpdateResponse: a whole number of fields, otherwise unchecked. Takes
 * ownership of 'data'. What cannot be accepted of it is a problem, and does not stop the delivery of the
 * rest. */
void deliver_answer(struct deliver *d, uint8_t *data, size_t size);
/* Delivers an empty list, and the facts without the URL of reports, when the machine leaves its zone. */
void deliver_nothing(struct deliver *d);
/* Called when the reconciler has restarted: facts and list are delivered again. */
void deliver_forget(struct deliver *d);

/* Returns how many instances of the last answer are not processed yet. */
size_t deliver_waiting(const struct deliver *d);
/* Returns what of the last answer could not be accepted, and why. */
char *const *deliver_problems(const struct deliver *d, size_t *ret_n);

/* The following functions are for deliver_instances.c. */

/* Adds a problem of this answer. A new one is logged; it is shown until an answer does not have it. */
void deliver_problem(struct deliver *d, const char *fmt, ...) _printf_(2, 3);
/* Marks an instance as contained in this answer, and adds its problem, if it has one. */
void deliver_see(struct deliver *d, struct known *k);
/* Starts a call of PutZoneState; one call runs at a time. */
void deliver_put(struct deliver *d, const struct reconciler_zone_in *in, varlink_answer_fn on_answer);
/* Reports whether an error is a refusal, which a repeated call would return again. */
bool deliver_is_refusal(const struct error *e);
/* Ends the run, because the reconciler cannot be reached, and starts another one after a pause. */
void deliver_run_failed(struct deliver *d, const struct error *e);
/* Continues the run until a call has started, or to its end. The list of names is only delivered for an
 * answer that could be read completely: an instance that is missing from it then counts as not assigned. */
void deliver_advance(struct deliver *d);

/* Follows what a service has: the Watch protocol, and the one subscriber to it.
 *
 * The protocol. Every method Watch of the tree is a stream ("more"), and answers in this order:
 *
 *   1. the snapshot: one answer for each item that is there, as the method List shows it
 *   2. one answer with 'complete' and without an item: what was not told is not there
 *   3. the changes: one answer for each item that changed, as it is now, or what happened to it. An answer
 * with 'gone' is the last one of its item
 *
 * Two things end what was told, and a new snapshot follows each:
 *
 *   - an answer with 'lost', which is the reason: the service does not reach what it watches. The snapshot
 *     follows in the same stream when it does again. The first answer of a stream may be such a one
 *   - the end of the stream, with an error or without. The caller calls again. A service ends a stream
 * without an error where it makes a new snapshot, and a caller that does not read, whose answers wait beyond
 * the server's bound (server.h), loses its connection
 *
 * No caller has to call List besides: a change that happens while the snapshot is told is told as well,
 * between its items or after it. Of an item that was told before its change, the change is what holds; where
 * a change names an item that the snapshot has not told yet, the item may be older than the change, and the
 * caller asks for it. 'complete' and 'lost' are members of the method's answer where the service has a use
 * for them. */
#pragma once

#include "lib/loop/clock.h"
#include "lib/loop/retry.h"
#include "lib/varlink/client.h"

struct follower;

/* What a follower tells. It tells nothing from within follower_new(). Each function may free the follower,
 * and may be NULL. */
struct follower_handlers {
    /* A snapshot begins: forget what was told. */
    void (*reset)(void *userdata);
    /* An item of the snapshot, or a change after it: the method's answer, borrowed. */
    void (*item)(const void *out, void *userdata);
    /* The snapshot is whole: the answer with 'complete', borrowed. */
    void (*complete)(const void *out, void *userdata);
    /* What was told does not hold any more, or nothing could be told. A snapshot follows as soon as there is
     * one. 'quickly': the service died or ended the stream, and is called again within milliseconds, so that
     * nobody needs to be told. */
    void (*lost)(const struct error *e, bool quickly, void *userdata);
};

struct follower_options {
    struct clock *clock; /* borrowed; varlink_call_start() gets its event loop */
    const char *socket;  /* of the service */
    const struct varlink_interface *interface;
    const void *in; /* the parameters of Watch, borrowed as long as the follower lives; NULL: none */
    struct retry_policy pauses;               /* between calls that fail */
    const struct follower_handlers *handlers; /* borrowed as long as the follower lives */
    void *userdata;                           /* of the handlers, and of the two functions below */
    /* How Watch is called and how such a call ends, for those who count their calls or simulate them; NULL:
     * by varlink_call_start() and varlink_request_cancel(). 'call' gives what 'cancel' gets. */
    void *(*call)(const struct varlink_call_options *options, varlink_answer_fn on_answer, void *follower,
                  void *userdata);
    void (*cancel)(void *request, void *userdata);
};

/* Begins to follow, in the next turn of the loop. */
struct follower *follower_new(const struct follower_options *options);
/* Ends it without a further word. NULL is fine. */
void follower_free(struct follower *follower);
/* Whether what was told is whole and holds. */
bool follower_is_complete(const struct follower *follower);

/* Implements a follower of the Watch protocol.
 *
 * Each method Watch of the tree is a stream ("more"), with the replies in this order:
 *
 *   1. The snapshot: one reply for each item that exists, as the method List returns it.
 *   2. One reply with 'complete' and without an item. Items that the snapshot does not contain do not exist.
 *   3. The changes: one reply for each changed item, with its new state or with the event. A reply
 *      with 'gone' is the last one for its item.
 *
 * Two conditions invalidate the received items; a new snapshot follows each:
 *
 *   - A reply with 'lost', which contains the reason: the service does not reach what it watches.
 *     When it does again, the snapshot follows in the same stream. The first reply of a stream can be
 *     such a reply.
 *   - The end of the stream, with or without an error. The caller calls Watch again. A service ends a stream
 *     without an error to send a new snapshot. The server closes the connection of a caller whose unsent
 *     replies exceed its limit (server.h).
 *
 * A caller does not need List in addition. When an item changes during the snapshot, the service sends the
 * change as well, between the items or after them. A change replaces an item that was sent before it. When a
 * change names an item that the snapshot has not contained yet, the item in the snapshot can be older than
 * the change; the caller then requests the item's state. 'complete' and 'lost' are members of the method's
 * reply only when the service uses them. */
#pragma once

#include "lib/loop/clock.h"
#include "lib/loop/retry.h"
#include "lib/varlink/client.h"

struct follower;

/* The callbacks of a follower, which are called only from the event loop. Each may free the follower, and may
 * be NULL. */
struct follower_handlers {
    /* A snapshot begins: the caller drops all items. */
    void (*reset)(void *userdata);
    /* Receives an item of the snapshot or a change: the method's reply, borrowed. */
    void (*item)(const void *out, void *userdata);
    /* The snapshot is complete. Receives the reply with 'complete', borrowed. */
    void (*complete)(const void *out, void *userdata);
    /* The received items are no longer valid, or none could be received. A snapshot follows as soon as
     * possible. 'quickly' is true when the service exited or ended the stream and the follower calls it again
     * within milliseconds, so that the loss need not be reported. */
    void (*lost)(const struct error *e, bool quickly, void *userdata);
};

struct follower_options {
    struct clock *clock; /* borrowed; varlink_call_start() gets its event loop */
    const char *socket;  /* of the service */
    const struct varlink_interface *interface;
    const void *in;             /* the parameters of Watch, borrowed until follower_free(); NULL: none */
    struct retry_policy pauses; /* between failed calls */
    const struct follower_handlers *handlers; /* borrowed until follower_free() */
    void *userdata;                           /* of the handlers, and of the two functions below */
    /* Start and cancel a call of Watch, for a caller that counts or simulates its calls. 'call' returns the
     * request that 'cancel' gets. NULL: varlink_call_start() and varlink_request_cancel(). */
    void *(*call)(const struct varlink_call_options *options, varlink_answer_fn on_answer, void *follower,
                  void *userdata);
    void (*cancel)(void *request, void *userdata);
};

/* Creates a follower, which calls Watch in the next iteration of the event loop; copies 'options'. */
struct follower *follower_new(const struct follower_options *options);
/* Frees a follower without a further callback, also from within one; 'follower' may be NULL. */
void follower_free(struct follower *follower);
/* Reports whether the received items are a complete and valid snapshot with its changes. */
bool follower_is_complete(const struct follower *follower);

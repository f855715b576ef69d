/* The writing end of a download: a thread that hashes and writes what comes into the partial file, and, when
 * all is there, verifies it and moves it into the store. The loop hands bytes over through a ring and never
 * waits for the disk.
 *
 * A sink lives through several tries of one download. Its thread first hashes what an earlier process left.
 */
#pragma once

#include <systemd/sd-event.h>

#include "fetcher/facts.h"
#include "fetcher/store.h"

struct sink;

struct sink_options {
    const struct store *store;
    const struct package_reference *package; /* borrowed, like the store, until the sink has stopped */
    uint64_t size_max;                       /* bytes of a package whose size nobody says */
    uint64_t keep_free;                      /* bytes that must stay free */
    /* From the loop: bytes were taken, or the thread is done (sink_result). */
    void (*on_change)(void *userdata);
    void *userdata;
};

/* Opens the partial file; 'fresh' empties it. */
int sink_new(sd_event *event, const struct sink_options *options, bool fresh, struct sink **ret,
             struct error *e);

/* Bytes there are, counting those that wait in the ring: where a transfer goes on. */
uint64_t sink_position(struct sink *s);
/* Bytes that sink_write() takes now. When they are few, on_change tells once half of the ring is free. */
size_t sink_room(struct sink *s);
void sink_write(struct sink *s, const void *data, size_t size);

/* Throws away what is there and begins at 0, with these facts. */
void sink_restart(struct sink *s, const struct facts *facts);

/* Lets the thread copy from a local file, from sink_position() on; takes 'fd'. It ends as with sink_end(). */
void sink_copy(struct sink *s, int fd);

/* Everything was handed over: verify and publish. */
void sink_end(struct sink *s);

/* 1: the package is in its place. 0: not yet. Otherwise what went wrong; −EBADMSG where the bytes are not the
 * package's. */
int sink_result(struct sink *s, struct error *e);
/* Whether all bytes are written and it is verifying and syncing. */
bool sink_is_verifying(struct sink *s);

/* Stops the thread, which may take as long as the disk does; on_stopped comes from the loop and frees the
 * sink after it. No other callback is called any more. */
void sink_stop(struct sink *s, void (*on_stopped)(void *userdata), void *userdata);

/* At the end of the process: stops and waits. NULL is fine. */
void sink_free(struct sink *s);

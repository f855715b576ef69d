/* Writes a download: a thread hashes the received bytes and writes them into the partial file, and, when all
 * are received, verifies the file and moves it into the store. The loop passes bytes to the thread through a
 * ring and never waits for the disk.
 *
 * A sink is used for several attempts of one download. Its thread first hashes the bytes that an earlier
 * process received. */
#pragma once

#include <systemd/sd-event.h>

#include "fetcher/facts.h"
#include "fetcher/store.h"

struct sink;

struct sink_options {
    const struct store *store;
    const struct package_reference *package; /* borrowed, as is the store, until the sink has stopped */
    uint64_t size_max;                       /* limit in bytes for a package of unknown size */
    uint64_t keep_free;                      /* bytes of the file system that must stay free */
    /* Called by the loop: the ring has space again, bytes were written, or the thread has ended its work
     * (sink_result()). */
    void (*on_change)(void *userdata);
    void *userdata;
};

/* Opens the partial file and starts the thread; 'fresh' empties the file. Returns 0 or a negative errno. */
int sink_new(sd_event *event, const struct sink_options *options, bool fresh, struct sink **ret,
             struct error *e);

/* Returns the number of received bytes, including those in the ring: where a transfer continues. */
uint64_t sink_position(struct sink *s);
/* Returns the number of bytes that sink_write() accepts now. If it is less than half of the ring, on_change
 * is called when half of the ring is free. */
size_t sink_room(struct sink *s);
void sink_write(struct sink *s, const void *data, size_t size);

/* Discards the received bytes and starts at 0, with these facts. */
void sink_restart(struct sink *s, const struct facts *facts);

/* Makes the thread copy a local file from sink_position() on, and then verify and publish as after
 * sink_end(). Takes ownership of 'fd'. */
void sink_copy(struct sink *s, int fd);

/* Ends the download: the thread verifies and publishes the file. */
void sink_end(struct sink *s);

/* Returns 1 if the package is in the store, 0 if the thread still works, or a negative errno: −EBADMSG if the
 * bytes are not the package's. */
int sink_result(struct sink *s, struct error *e);
/* Reports whether all bytes are written and the thread verifies and syncs the file. */
bool sink_is_verifying(struct sink *s);

/* Stops the thread, which may still wait for the disk. The loop then frees the sink and calls 'on_stopped'.
 * No other callback is called any more. */
void sink_stop(struct sink *s, void (*on_stopped)(void *userdata), void *userdata);

/* Stops the thread and waits for it, at the end of the process. 's' may be NULL. */
void sink_free(struct sink *s);

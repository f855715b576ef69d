/* Downloads one package into the store, for all calls that wait for it.
 *
 *   locating ──▶ queued ──▶ transferring ──▶ finishing ──▶ stopping ──▶ over
 *                  ▲             │  ▲
 *                  └── pausing ◀─┘  └ (the same attempt starts over from byte 0)
 *
 * The manager owns it. When no call waits any more, the download stops; the received bytes are kept for the
 * next one. */
#pragma once

#include "fetcher/facts.h"
#include "fetcher/lookup.h"
#include "fetcher/sink.h"
#include "lib/varlink/server.h"

struct manager;

enum download_state {
    DOWNLOAD_LOCATING,     /* searches the repositories for the file */
    DOWNLOAD_QUEUED,       /* waits for a slot */
    DOWNLOAD_TRANSFERRING, /* receives bytes */
    DOWNLOAD_PAUSING,      /* waits before the next attempt */
    DOWNLOAD_FINISHING,    /* has all bytes: verifies, syncs and moves the file */
    DOWNLOAD_STOPPING,     /* waits for the end of the sink's thread */
    DOWNLOAD_OVER,         /* the manager frees it */
    _DOWNLOAD_STATE_MAX
};

struct download {
    struct manager *manager;
    struct fetcher *fetcher;
    struct download *next;
    enum download_state state;
    struct package_reference *package;
    struct repository *repository;
    char *file;

    /* waiting calls */
    struct varlink_call **calls;
    size_t n_calls;
    char message[512];
    uint64_t told_usec;
    struct timer heartbeat;

    /* the current attempt */
    struct sink *sink;
    struct lookup *lookup;
    struct http_request *request;
    struct zone_transfer *zone;
    struct timer pause;
    struct timer deadline; /* of a transfer from a server */
    uint64_t begun_usec;   /* when the transfer began */
    struct facts facts;    /* of the partial file */
    uint64_t total;        /* bytes of the package; 0: not known yet */
    uint64_t asked_from;   /* the first byte of the requested range */
    uint64_t written;      /* bytes of this attempt */
    bool paused;           /* the request waits for space in the ring */
    bool ask_whole;        /* the next request is for the whole file */
    bool ask_again;        /* the request ended because the whole file must be requested */
    bool complete;         /* the request ended because all bytes exist already */
    struct error refusal;  /* why the response was not accepted */
    unsigned retry_after;  /* seconds, from the server */

    /* all attempts */
    struct retry retry;
    uint64_t high_water; /* the highest position so far; only bytes beyond it count as progress */
    uint64_t started_usec;
    bool looked_up;      /* the repositories were searched, and another search is useless */
    bool pieced;         /* the partial file was not received in one piece */
    bool fresh;          /* the next sink starts at byte 0 */
    bool fresh_tried;    /* the download was already repeated because of wrong bytes */
    unsigned overs;      /* how often the download started over from byte 0 */
    bool stop_for_fresh; /* why it is stopping: to start over from byte 0 */
};

/* Creates a download in the state over; download_begin() starts it. 'package' is copied. */
struct download *download_new(struct manager *manager, const struct package_reference *package);
void download_free(struct download *d);

/* Replies at once if the package is in the store, otherwise starts the download. */
void download_begin(struct download *d);
/* Starts the transfer, when the manager has a slot. */
void download_transfer(struct download *d);

/* functions for the parts of a download (download_http.c, download_file.c, download_zone.c) */

/* Handles a failed attempt: plans a retry at least 'at_least_seconds' later if the error may pass, otherwise
 * fails the download. */
void download_try_failed(struct download *d, const struct error *e, unsigned at_least_seconds);
/* Fails the download and stops it; 'drop' deletes the partial file. */
void download_fail(struct download *d, const struct error *e, bool drop);
/* Handles received bytes that are not the package's: repeats the download once if it was resumed, otherwise
 * fails. */
void download_wrong(struct download *d, const struct error *e);
/* Ends the transfer: the sink has received all bytes. */
void download_finish(struct download *d);
/* Stops the download, because no call waits any more. */
void download_abandon(struct download *d);
/* Notifies the waiting calls of the reason and makes the next request ask for the whole file. Fails the
 * download when it has started over too often. */
void download_start_over(struct download *d, const char *why);

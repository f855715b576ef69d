/* One package on its way into the store, for everyone who asked for it.
 *
 *   locating ──▶ queued ──▶ transferring ──▶ finishing ──▶ stopping ──▶ over
 *                  ▲             │  ▲
 *                  └── pausing ◀─┘  └ (the same try begins again from 0)
 *
 * It lives in the manager's list. When nobody waits any more it stops, and what came stays for the next time.
 */
#pragma once

#include "fetcher/facts.h"
#include "fetcher/lookup.h"
#include "fetcher/sink.h"
#include "lib/varlink/server.h"

struct manager;

enum download_state {
    DOWNLOAD_LOCATING,     /* the repositories are asked which file it is */
    DOWNLOAD_QUEUED,       /* waits for a slot */
    DOWNLOAD_TRANSFERRING, /* bytes come */
    DOWNLOAD_PAUSING,      /* waits before the next try */
    DOWNLOAD_FINISHING,    /* all bytes are there: verified, synced, moved */
    DOWNLOAD_STOPPING,     /* the thread ends */
    DOWNLOAD_OVER,         /* to be freed by the manager */
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

    /* Who waits */
    struct varlink_call **calls;
    size_t n_calls;
    char message[512];
    uint64_t told_usec;
    struct timer heartbeat;

    /* The try under way */
    struct sink *sink;
    struct lookup *lookup;
    struct http_request *request;
    struct zone_transfer *zone;
    struct timer pause;
    struct timer deadline; /* of a transfer from a server */
    uint64_t begun_usec;   /* when the transfer began */
    struct facts facts;    /* of what the sink has */
    uint64_t total;        /* 0: not known yet */
    uint64_t asked_from;   /* where the range of the request begins */
    uint64_t written;      /* bytes of this try */
    bool paused;           /* the request waits for room in the ring */
    bool ask_whole;        /* the next request is for the whole file */
    bool ask_again;        /* the request ended because of that */
    bool complete;         /* the request ended because everything is there */
    struct error refusal;  /* why the answer was not taken */
    unsigned retry_after;  /* seconds, from the server */

    /* All tries */
    struct retry retry;
    uint64_t high_water; /* the furthest position so far: what goes beyond counts as progress */
    uint64_t started_usec;
    bool looked_up;      /* the repositories were asked, so asking again is of no use */
    bool pieced;         /* what is there did not come in one piece */
    bool fresh;          /* the next sink begins at 0 */
    bool fresh_tried;    /* a whole download was wrong already, and begun once more */
    unsigned overs;      /* how often it began again from 0 */
    bool stop_for_fresh; /* why it is stopping */
};

/* A download in state over; download_begin() sets it off. 'package' is copied. */
struct download *download_new(struct manager *manager, const struct package_reference *package);
void download_free(struct download *d);

/* Looks whether the package is there already, and else sets out. */
void download_begin(struct download *d);
/* The manager has a slot for it. */
void download_transfer(struct download *d);

/* For the parts of a download (download_http.c, download_file.c, download_zone.c) */

/* A try failed: another one after a pause where that may help, or the end. */
void download_try_failed(struct download *d, const struct error *e, unsigned at_least_seconds);
/* It cannot be had; 'drop' removes what came so far. */
void download_fail(struct download *d, const struct error *e, bool drop);
/* The bytes are not the package's. */
void download_wrong(struct download *d, const struct error *e);
/* Everything is handed to the sink. */
void download_finish(struct download *d);
/* Nobody waits any more. */
void download_abandon(struct download *d);
/* Empties what is there and says why. */
void download_start_over(struct download *d, const char *why);

/* Reports when another program changes the nftables table of the zone's network, by the kernel's
 * notifications. They come in transactions, each of which ends with the name and the id of the process. */
#pragma once

#include <systemd/sd-event.h>

#include "lib/basic/error.h"

/* State of reading a stream of notifications; zero-initialized at its beginning. */
struct nft_scan {
    bool touched; /* the transaction in progress changed the table */
    /* Results of nft_scan(): another process changed the table, and its name; "": not known. */
    bool changed;
    char by[16];
};
/* Reads notifications, which can have any content. Changes of the process 'self' are left out. */
void nft_scan(struct nft_scan *scan, const void *data, size_t size, uint32_t self);

struct nft_events;
/* 'by' is the name of the process that changed the table; "": not known, or notifications were lost. */
typedef void (*nft_changed_fn)(const char *by, void *userdata);
/* Begins to watch. Returns 0, −EPROTONOSUPPORT (not supported) if the kernel has no netfilter, or another
 * negative errno. */
int nft_events_new(sd_event *event, nft_changed_fn changed, void *userdata, struct nft_events **ret,
                   struct error *e);
void nft_events_free(struct nft_events *events); /* 'events' may be NULL */

/* Returns 1 if the kernel has the table, 0 if not, −EOPNOTSUPP (not supported) if it has no nftables, or
 * another negative errno. */
int nft_table_exists(struct error *e);

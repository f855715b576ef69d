/* Holds what all parts of the process share: event loop, configuration, store, HTTP client. */
#pragma once

#include <systemd/sd-event.h>

#include "fetcher/credentials.h"
#include "fetcher/store.h"
#include "lib/config/config.h"
#include "lib/http/client.h"
#include "lib/loop/retry.h"
#include "lib/loop/timer.h"
#include "lib/loop/work.h"

struct settings {
    const char *ca_file; /* NULL: the system's; borrowed from the configuration */
    uint64_t connect_timeout_usec, transfer_timeout_usec;
    unsigned low_speed_bytes, low_speed_seconds;
    unsigned tries_max, parallel;
    uint64_t retry_min_usec;
    uint64_t size_max, keep_free;
    uint16_t zone_port; /* of zone hosts whose address has no port */
};

struct fetcher_zone;

struct fetcher {
    sd_event *event;
    const struct tree *tree; /* borrowed */
    struct settings settings;
    struct store store;
    struct credentials *credentials;    /* NULL: none */
    struct grpc_tls_settings *zone_tls; /* NULL: plaintext */
    struct fetcher_zone *zones;         /* the current one first (zone.c) */
    struct timer zone_sweep;
    struct workers *workers; /* read and parse indexes */
    /* NULL until a file is fetched over the network, because libcurl needs long to initialize. */
    struct http_client *http;
};

void settings_load(struct settings *settings, const struct config *config);

/* Returns the HTTP client (borrowed), which is created at the first call. Returns 0 or a negative errno. */
int fetcher_http(struct fetcher *fetcher, struct http_client **ret, struct error *e);

/* Fills in what all requests to repositories have in common. 'url' is borrowed. */
void fetcher_ask(const struct fetcher *fetcher, const char *url, struct http_ask *ret);

/* Counts a failure. Returns the pause before the next attempt in microseconds, or 0 if no attempt is left. */
uint64_t fetcher_next_pause(const struct fetcher *fetcher, struct retry *retry);

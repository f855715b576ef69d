/* What all parts of this process share: the loop, the configuration, the store, the HTTP client. */
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
    uint16_t zone_port; /* of zone hosts that are named without one */
};

struct fetcher_zone;

struct fetcher {
    sd_event *event;
    const struct tree *tree; /* borrowed */
    struct settings settings;
    struct store store;
    struct credentials *credentials;    /* NULL: none */
    struct grpc_tls_settings *zone_tls; /* NULL: plaintext */
    struct fetcher_zone *zones;         /* today's first (zone.c) */
    struct timer zone_sweep;
    struct workers *workers;  /* read and parse indexes */
    struct http_client *http; /* NULL until something is fetched over the network: libcurl is slow to begin */
};

void settings_load(struct settings *settings, const struct config *config);

/* The HTTP client, made when it is first needed. */
int fetcher_http(struct fetcher *fetcher, struct http_client **ret, struct error *e);

/* What every request to a repository has in common. 'url' is borrowed. */
void fetcher_ask(const struct fetcher *fetcher, const char *url, struct http_ask *ret);

/* Counts a failure: the pause before the next try in microseconds, or 0 when there shall be none. */
uint64_t fetcher_next_pause(const struct fetcher *fetcher, struct retry *retry);

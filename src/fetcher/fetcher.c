/* Implements fetcher.h. */
#include "fetcher/fetcher.h"

#include <stdlib.h>

#define REDIRECTS_MAX 5

#define PAUSE_MAX (30 * USEC_PER_SEC) /* between two attempts, unless [fetcher] retry_min is longer */

void settings_load(struct settings *s, const struct config *config)
{
    const char *ca_file = config_string(config, "fetcher", "ca_file");
    uint64_t low_speed_seconds = config_duration(config, "fetcher", "low_speed_time") / USEC_PER_SEC;
    *s = (struct settings){
        .ca_file = *ca_file ? ca_file : NULL,
        .connect_timeout_usec = config_duration(config, "fetcher", "connect_timeout"),
        .transfer_timeout_usec = config_duration(config, "fetcher", "transfer_timeout"),
        .low_speed_bytes = (unsigned)config_number(config, "fetcher", "low_speed_limit"),
        .low_speed_seconds = low_speed_seconds > 0 ? (unsigned)low_speed_seconds : 1,
        .tries_max = (unsigned)config_number(config, "fetcher", "attempts"),
        .parallel = (unsigned)config_number(config, "fetcher", "parallel"),
        .retry_min_usec = config_duration(config, "fetcher", "retry_min"),
        .size_max = (uint64_t)config_number(config, "fetcher", "max_size"),
        .keep_free = (uint64_t)config_number(config, "fetcher", "keep_free"),
        .zone_port = (uint16_t)config_number(config, "zone", "peer_port"),
    };
}

int fetcher_http(struct fetcher *fetcher, struct http_client **ret, struct error *e)
{
    if (!fetcher->http) {
        int r = http_client_new(fetcher->event, &fetcher->http, e);
        if (r < 0)
            return r;
    }
    *ret = fetcher->http;
    return 0;
}

void fetcher_ask(const struct fetcher *fetcher, const char *url, struct http_ask *ret)
{
    const struct settings *s = &fetcher->settings;
    *ret = (struct http_ask){
        .url = url,
        .connect_timeout_usec = s->connect_timeout_usec,
        .low_speed_bytes = s->low_speed_bytes,
        .low_speed_seconds = s->low_speed_seconds,
        .ca_file = s->ca_file,
        .environment_proxy = true,
        .max_redirects = REDIRECTS_MAX,
    };
    (void)credentials_find(fetcher->credentials, url, &ret->user, &ret->password);
}

uint64_t fetcher_next_pause(const struct fetcher *fetcher, struct retry *retry)
{
    uint64_t first = fetcher->settings.retry_min_usec;
    const struct retry_policy policy = {first, first > PAUSE_MAX ? first : PAUSE_MAX};
    uint64_t pause = retry_next(retry, &policy);
    return retry->failures < fetcher->settings.tries_max ? pause : 0;
}

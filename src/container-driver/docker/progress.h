/* Sums up the progress of a pull. Docker sends one JSON object per line, each about a single layer. */
#pragma once

#include "lib/basic/error.h"

/* Limit of the layers that are counted; further layers of an image are not part of the progress. */
#define PROGRESS_LAYERS_MAX 256

struct progress_layer {
    char *id;
    int64_t done, total;
};

/* The caller zeroes it, and releases it with progress_done(). */
struct progress {
    struct progress_layer *layers;
    size_t n_layers;
    char *status; /* the last status, for a human */
};

/* Reads one line. Returns 0, the errno of docker_pull_failure() when the line reports that the pull failed
 * (Docker reports it in a response with status 200), or −EPROTO (failed) when the line is malformed. */
int progress_line(struct progress *p, const char *line, size_t size, struct error *e);
/* Returns the sums of bytes over all layers known so far. */
void progress_sum(const struct progress *p, int64_t *ret_done, int64_t *ret_total);
void progress_done(struct progress *p);

/* What Docker says during a pull: one JSON object a line, of single layers; summed up here. */
#pragma once

#include "lib/basic/error.h"

/* Layers that are counted; an image of more shows less progress. */
#define PROGRESS_LAYERS_MAX 256

struct progress_layer {
    char *id;
    int64_t done, total;
};

/* Zeroed at the start; progress_done() at the end. */
struct progress {
    struct progress_layer *layers;
    size_t n_layers;
    char *status; /* the last words, for a human */
};

/* One line. Fails for good, or to be tried again (a registry that does not answer), when the line says that
 * the pull failed: Docker says so within an answer of status 200. */
int progress_line(struct progress *p, const char *line, size_t size, struct error *e);
/* Bytes over all layers known so far. */
void progress_sum(const struct progress *p, int64_t *ret_done, int64_t *ret_total);
void progress_done(struct progress *p);

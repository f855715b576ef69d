/* Implements progress.h. */
#include "container-driver/docker/progress.h"

#include <errno.h>

#include "container-driver/docker/failure.h"
#include "container-driver/reading.h"

static struct progress_layer *find_layer(struct progress *p, const char *id)
{
    for (size_t i = 0; i < p->n_layers; i++)
        if (streq(p->layers[i].id, id))
            return &p->layers[i];
    if (p->n_layers == PROGRESS_LAYERS_MAX)
        return NULL;
    p->layers = xrealloc(p->layers, p->n_layers + 1, sizeof *p->layers);
    p->layers[p->n_layers] = (struct progress_layer){.id = xstrdup(id)};
    return &p->layers[p->n_layers++];
}

int progress_line(struct progress *p, const char *line, size_t size, struct error *e)
{
    _cleanup_json_ json_t *j = NULL;
    struct reading r = {.what = "Docker's progress of the pull", .error = e};
    int x = parse_answer(r.what, line, size, &j, e);
    if (x < 0)
        return x;
    const char *failure = read_string(&r, j, "errorDetail/message") ?: read_string(&r, j, "error");
    if (failure)
        return docker_pull_failure(failure, e);
    const char *id = read_string(&r, j, "id"), *status = read_string(&r, j, "status");
    int64_t done = read_integer(&r, j, "progressDetail/current");
    int64_t total = read_integer(&r, j, "progressDetail/total");
    if (r.r < 0)
        return r.r;
    if (status) {
        free(p->status);
        _cleanup_free_ char *whole = id ? xasprintf("%s: %s", id, status) : xstrdup(status);
        p->status = clean_text(whole, 200);
    }
    struct progress_layer *layer = id && total > 0 ? find_layer(p, id) : NULL;
    if (layer && status && streq(status, "Downloading")) { /* "Extracting" counts the same bytes again */
        layer->done = done < 0 ? 0 : done > total ? total : done;
        layer->total = total;
    } else if (layer && layer->total > 0) {
        layer->done = layer->total;
    }
    return 0;
}

void progress_sum(const struct progress *p, int64_t *ret_done, int64_t *ret_total)
{
    int64_t done = 0, total = 0;
    for (size_t i = 0; i < p->n_layers; i++)
        if (__builtin_add_overflow(done, p->layers[i].done, &done) ||
            __builtin_add_overflow(total, p->layers[i].total, &total))
            break;
    *ret_done = done;
    *ret_total = total;
}

void progress_done(struct progress *p)
{
    for (size_t i = 0; i < p->n_layers; i++)
        free(p->layers[i].id);
    free(p->layers);
    free(p->status);
    *p = (struct progress){0};
}

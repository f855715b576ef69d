/* Implements image.h. An image becomes present when it is first requested, unless its name states otherwise
 * (behaviour.h). */
#include "container-driver/null/image.h"

#include <errno.h>
#include <stdio.h>

#include "container-driver/null/behaviour.h"
#include "container-driver/null/store.h"
#include "lib/app/reference.h"
#include "lib/basic/hash.h"
#include "lib/loop/timer.h"

/* Returns the id of an image, which depends only on the reference; the caller frees. */
static char *id_of(const char *reference)
{
    char id[7 + 64 + 1] = "sha256:";
    for (int part = 0; part < 4; part++) {
        uint64_t hash = fnv1a(FNV1A_BEGIN + (uint64_t)part, reference, strlen(reference));
        snprintf(id + 7 + 16 * part, 17, "%016llx", (unsigned long long)hash);
    }
    return xstrdup(id);
}

static struct null_image *known(struct null *n, const struct image_reference *r, const char *canonical)
{
    for (size_t i = 0; i < n->n_images; i++)
        if (streq(r->id ? n->images[i].id : n->images[i].reference, canonical))
            return &n->images[i];
    return NULL;
}

static struct null_image *make(struct null *n, const char *canonical, struct error *e)
{
    n->images = xrealloc(n->images, n->n_images + 1, sizeof *n->images);
    n->images[n->n_images++] = (struct null_image){.reference = xstrdup(canonical), .id = id_of(canonical)};
    return null_save_images(n, e) < 0 ? NULL : &n->images[n->n_images - 1];
}

struct null_image *null_find_image(struct null *n, const char *reference, struct error *e)
{
    _cleanup_image_reference_ struct image_reference *r = NULL;
    if (image_reference_parse(reference, &r, e) < 0)
        return NULL;
    _cleanup_free_ char *canonical = image_reference_canonical(r);
    struct null_behaviour b = null_behaviour_of(reference);
    struct null_image *image = known(n, r, canonical);
    if (image)
        return image;
    if (r->id || b.missing || b.pulled) {
        error_set(e, ERROR_NOT_FOUND, ENOENT, "no such image: %s", reference);
        return NULL;
    }
    return make(n, canonical, e);
}

const char *null_image_words(struct null *n, const char *image)
{
    for (size_t i = 0; i < n->n_images; i++)
        if (streq(n->images[i].id, image))
            return n->images[i].reference;
    return image;
}

/* An image's description, which borrows from the image and from itself. */
struct description {
    struct driver_image image;
    struct null_behaviour behaviour;
    char *volumes[1];
};

static struct driver_image *describe(const struct null_image *image, struct description *d)
{
    *d = (struct description){.image = {.id = image->id, .tags = (char **)&image->reference, .n_tags = 1},
                              .behaviour = null_behaviour_of(image->reference)};
    d->volumes[0] = d->behaviour.volume;
    d->image.volumes = d->volumes;
    d->image.n_volumes = d->behaviour.volume[0] ? 1 : 0;
    return &d->image;
}

void null_image_inspect(struct runtime *rt, const char *reference, runtime_answer_fn answer, void *userdata)
{
    struct error e = ERROR_INIT;
    struct null_image *image = null_find_image((struct null *)rt, reference, &e);
    struct description description;
    struct runtime_result result = {.image = image ? describe(image, &description) : NULL};
    answer(&result, image ? NULL : &e, userdata);
}

void null_image_list(struct runtime *rt, runtime_answer_fn answer, void *userdata)
{
    struct null *n = (struct null *)rt;
    for (size_t i = 0; i < n->n_images; i++) {
        struct description description;
        answer(&(struct runtime_result){.image = describe(&n->images[i], &description), .more = true}, NULL,
               userdata);
    }
    runtime_answer(answer, userdata, NULL);
}

struct pull {
    struct runtime_job job;
    struct null *n;
    char *reference;
    runtime_answer_fn answer;
    void *userdata;
    struct timer timer;
};

static void pull_cancel(struct runtime_job *job)
{
    struct pull *p = (struct pull *)job;
    timer_stop(&p->timer);
    free(p->reference);
    free(p);
}

static void on_pulled(void *userdata)
{
    struct pull *p = userdata;
    struct error e = ERROR_INIT;
    struct null_image *image = NULL;
    _cleanup_image_reference_ struct image_reference *r = NULL;
    if (image_reference_parse(p->reference, &r, &e) >= 0) {
        _cleanup_free_ char *canonical = image_reference_canonical(r);
        image = known(p->n, r, canonical);
        if (!image && (r->id || null_behaviour_of(p->reference).missing))
            error_set(&e, ERROR_NOT_FOUND, ENOENT, "cannot pull image '%s': no registry has it",
                      p->reference);
        else if (!image)
            image = make(p->n, canonical, &e);
    }
    struct driver_pull_out progress = {.status = (char *)"pulled", .done = 1, .total = 1};
    if (image)
        p->answer(&(struct runtime_result){.progress = &progress, .more = true}, NULL, p->userdata);
    struct description description;
    struct runtime_result result = {.id = image ? image->id : NULL,
                                    .image = image ? describe(image, &description) : NULL};
    p->answer(&result, image ? NULL : &e, p->userdata);
    pull_cancel(&p->job);
}

struct runtime_job *null_image_pull(struct runtime *rt, const char *reference, runtime_answer_fn answer,
                                    void *userdata)
{
    struct pull *p = xcalloc(1, sizeof *p);
    *p = (struct pull){.job.cancel = pull_cancel,
                       .n = (struct null *)rt,
                       .reference = xstrdup(reference),
                       .answer = answer,
                       .userdata = userdata};
    timer_arm(&p->timer, p->n->event, null_behaviour_of(reference).slow_usec, on_pulled, p);
    return &p->job;
}

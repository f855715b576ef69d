/* What a container runtime has to offer to the driver: a table of functions, of which there are two: Docker
 * (docker/docker.c) and one that runs nothing (null/null.c).
 *
 * A runtime works on names and ids and does as it is told. Whose a container is, and whether it may be
 * touched, is decided before (task.c). Names are those of name.h. */
#pragma once

#include "container-driver/spec.h"
#include "lib/basic/cleanup.h"

struct runtime;
struct runtime_job;

/* What an operation found; what is no part of it is NULL. Borrowed, but the pointers may be taken (and set to
 * NULL). */
struct runtime_result {
    struct driver_info_out *info;
    struct driver_image *image;
    struct driver_container *container;
    struct driver_pull_out *progress;
    char *id;             /* of what was created or pulled */
    bool layer_unlimited; /* created without a limit of its writable layer */
    bool more;            /* this was one of several answers */
};

/* The answer: 'e' is NULL when it worked. Called once, but for streams, whose last answer has more = false.
 * May be called from within the operation, so call operations last. */
typedef void (*runtime_answer_fn)(struct runtime_result *result, const struct error *e, void *userdata);

struct runtime_log_options {
    bool follow;
    int64_t since_msec; /* unix time; 0: all */
    int64_t tail;       /* lines; 0: all */
};

/* Output in the frames of lib/logs, in any pieces. A negative errno ends the job with that error. */
typedef int (*runtime_log_data_fn)(const void *data, size_t size, void *userdata);
typedef void (*runtime_log_end_fn)(const struct error *e, void *userdata);

/* Something happened to a container of ours. */
typedef void (*runtime_event_fn)(const struct driver_event *event, void *userdata);
/* Events flow from now on ('lost' is NULL), or do not any more, and why. */
typedef void (*runtime_flow_fn)(const char *lost, void *userdata);

struct runtime_ops {
    const char *name;
    void (*free)(struct runtime *rt);
    /* Never fails: what is wrong is part of the answer. */
    void (*info)(struct runtime *rt, runtime_answer_fn answer, void *userdata);
    /* NOT_FOUND when it is not present. */
    void (*image_inspect)(struct runtime *rt, const char *reference, runtime_answer_fn answer,
                          void *userdata);
    void (*image_list)(struct runtime *rt, runtime_answer_fn answer, void *userdata);
    /* Never answers from within. The job is valid until the last answer. */
    struct runtime_job *(*image_pull)(struct runtime *rt, const char *reference, runtime_answer_fn answer,
                                      void *userdata);
    /* All containers whose names are of our form, one per answer (container NULL in the last). */
    void (*list)(struct runtime *rt, runtime_answer_fn answer, void *userdata);
    /* container NULL: there is none. */
    void (*inspect)(struct runtime *rt, const char *name, runtime_answer_fn answer, void *userdata);
    /* Whether the zone's network could have this range, which was parsed: refused with the reason, or an
     * answer without a result. */
    void (*check_network)(struct runtime *rt, const char *cidr, runtime_answer_fn answer, void *userdata);
    /* CONFLICT: the name is taken. */
    void (*create)(struct runtime *rt, const struct spec *spec, runtime_answer_fn answer, void *userdata);
    /* These take an id. Where there is nothing to do, that is no error; a container that is not there is
     * NOT_FOUND. */
    void (*start)(struct runtime *rt, const char *id, runtime_answer_fn answer, void *userdata);
    void (*stop)(struct runtime *rt, const char *id, int64_t timeout_msec /* −1: its own */,
                 runtime_answer_fn answer, void *userdata);
    void (*rename)(struct runtime *rt, const char *id, const char *name, runtime_answer_fn answer,
                   void *userdata);
    void (*remove)(struct runtime *rt, const char *id, runtime_answer_fn answer, void *userdata);
    void (*set_restart)(struct runtime *rt, const char *id, int policy, runtime_answer_fn answer,
                        void *userdata);
    /* Never calls back from within. The job is valid until on_end was called. */
    struct runtime_job *(*logs)(struct runtime *rt, const char *id, const struct runtime_log_options *options,
                                runtime_log_data_fn on_data, runtime_log_end_fn on_end, void *userdata);
    /* From now on events are delivered to the runtime's on_event, after on_flow said that they flow; until
     * unwatch. */
    void (*watch)(struct runtime *rt);
    void (*unwatch)(struct runtime *rt);
};

/* The head of every implementation's struct. */
struct runtime {
    const struct runtime_ops *ops;
    runtime_event_fn on_event;
    runtime_flow_fn on_flow;
    void *watch_userdata; /* of both */
};

/* Something that goes on; the head of the implementations' own structs. */
struct runtime_job {
    void (*cancel)(struct runtime_job *job); /* ends it without a further call; frees it */
    void (*pause)(struct runtime_job *job);  /* logs alone: no data until resume; for use within on_data */
    void (*resume)(struct runtime_job *job);
};

static inline void runtime_job_cancel(struct runtime_job *job)
{
    if (job)
        job->cancel(job);
}

void runtime_free(struct runtime *rt);

/* Says a success without a result, or an error. */
void runtime_answer(runtime_answer_fn answer, void *userdata, const struct error *e);

/* Whose a container is that does not carry our label, for a human; the caller frees. */
char *runtime_describe_owner(const char *tree_label, const char *name_label, const char *image);

void driver_container_free(struct driver_container *c);
void driver_image_free(struct driver_image *i);
void driver_info_done(struct driver_info_out *info);
void driver_event_done(struct driver_event *event);

DEFINE_CLEANUP(struct driver_container *, driver_container_free);
DEFINE_CLEANUP(struct driver_image *, driver_image_free);
#define _cleanup_driver_container_ _cleanup_(cleanup_driver_container_free)
#define _cleanup_driver_image_     _cleanup_(cleanup_driver_image_free)

/* Defines the interface of a container runtime: a table of functions. Two runtimes implement it: Docker
 * (docker/docker.c) and the null runtime, which runs nothing (null/null.c).
 *
 * A runtime acts on names and ids without a check of ownership. The driver checks before (task.c) whether a
 * container belongs to this tree. Names have the form of name.h. */
#pragma once

#include "container-driver/spec.h"
#include "lib/basic/cleanup.h"

struct runtime;
struct runtime_job;

/* The result of an operation; members that are not part of it are NULL. The callback borrows the members, but
 * can take ownership of one by setting it to NULL. */
struct runtime_result {
    struct driver_info_out *info;
    struct driver_image *image;
    struct driver_container *container;
    struct driver_pull_out *progress;
    struct driver_usage_out *usage;
    const struct driver_network *network;
    char *id;             /* of the created container or the pulled image */
    bool layer_unlimited; /* the container was created without a limit of its writable layer */
    bool more;            /* further results follow */
};

/* Receives the result of an operation; 'e' is NULL when the operation succeeded. The runtime calls it once,
 * or, for a stream, until a result with more = false. The runtime may call it before the operation's function
 * returns; therefore a caller does nothing after that function. */
typedef void (*runtime_answer_fn)(struct runtime_result *result, const struct error *e, void *userdata);

struct runtime_log_options {
    bool follow;
    int64_t since_msec; /* unix time; 0: all */
    int64_t tail;       /* lines; 0: all */
};

/* Receives output in the frames of lib/logs, in pieces of any size. When it returns a negative errno, the job
 * ends, and runtime_log_end_fn is still called: by Docker's implementation with an error, by the null runtime
 * without one. */
typedef int (*runtime_log_data_fn)(const void *data, size_t size, void *userdata);
typedef void (*runtime_log_end_fn)(const struct error *e, void *userdata);

/* Receives an event of a container of this tree. */
typedef void (*runtime_event_fn)(const struct driver_event *event, void *userdata);
/* Is called when events begin to arrive from the runtime ('lost' is NULL), and when they no longer do ('lost'
 * is the reason). */
typedef void (*runtime_flow_fn)(const char *lost, void *userdata);

struct runtime_ops {
    const char *name;
    void (*free)(struct runtime *rt);
    /* Returns the state of the runtime. It never fails: a problem is part of the result. */
    void (*info)(struct runtime *rt, runtime_answer_fn answer, void *userdata);
    /* NOT_FOUND: the image is not present. */
    void (*image_inspect)(struct runtime *rt, const char *reference, runtime_answer_fn answer,
                          void *userdata);
    void (*image_list)(struct runtime *rt, runtime_answer_fn answer, void *userdata);
    /* Calls 'answer' only from the event loop. The job is valid until the last result. */
    struct runtime_job *(*image_pull)(struct runtime *rt, const char *reference, runtime_answer_fn answer,
                                      void *userdata);
    /* Returns all containers whose names have hostlet's form, one in each result; in the last result the
     * container is NULL. */
    void (*list)(struct runtime *rt, runtime_answer_fn answer, void *userdata);
    /* Returns the containers that carry the contract's labels under names without hostlet's form, like
     * 'list'. Only id, name, instance (the label app_name), state and 'misfit' are set. */
    void (*list_misnamed)(struct runtime *rt, runtime_answer_fn answer, void *userdata);
    /* In the result, the container is NULL when none has the name or, with 'is_id', the id; the replica of
     * one with the id is then the one that its labels state. */
    void (*inspect)(struct runtime *rt, const char *name, bool is_id, runtime_answer_fn answer,
                    void *userdata);
    /* Checks whether the zone's network can have this range, whose form the caller has checked. The result
     * has the network, if it exists with the range. REFUSED: it cannot, for the reason in the error. */
    void (*check_network)(struct runtime *rt, const char *cidr, runtime_answer_fn answer, void *userdata);
    /* CONFLICT: the container's name is in use (errnum EEXIST), or that of one of its volumes is (ENOTUNIQ).
     */
    void (*create)(struct runtime *rt, const struct spec *spec, runtime_answer_fn answer, void *userdata);
    /* The functions below act on a container's id. They succeed when there is nothing to do. NOT_FOUND: the
     * container does not exist. */
    void (*start)(struct runtime *rt, const char *id, runtime_answer_fn answer, void *userdata);
    void (*stop)(struct runtime *rt, const char *id, int64_t timeout_msec /* −1: its own */,
                 runtime_answer_fn answer, void *userdata);
    void (*rename)(struct runtime *rt, const char *id, const char *name, runtime_answer_fn answer,
                   void *userdata);
    /* Removes anonymous volumes of the container, too, unless 'keep_volumes'. */
    void (*remove)(struct runtime *rt, const char *id, bool keep_volumes, runtime_answer_fn answer,
                   void *userdata);
    void (*set_restart)(struct runtime *rt, const char *id, int policy, runtime_answer_fn answer,
                        void *userdata);
    /* Runs the container of spec_copy.h until it exits, and removes it. 'answer' is called only from the
     * event loop. The job is valid until the result. */
    struct runtime_job *(*copy_volumes)(struct runtime *rt, const struct spec *spec, runtime_answer_fn answer,
                                        void *userdata);
    /* Removes the container of a copy that was interrupted; succeeds when there is none. */
    void (*end_copy)(struct runtime *rt, const char *name, runtime_answer_fn answer, void *userdata);
    /* Removes this tree's volumes whose names begin with 'prefix', except those that a container uses. */
    void (*remove_volumes)(struct runtime *rt, const char *prefix, runtime_answer_fn answer, void *userdata);
    /* Sets the limits of container 'c' to those of 'limits', as far as they differ, without a restart. The
     * caller has checked that the container does not use more. */
    void (*set_limits)(struct runtime *rt, const struct driver_container *c,
                       const struct driver_limits_in *limits, runtime_answer_fn answer, void *userdata);
    /* Returns what the container uses at present. */
    void (*usage)(struct runtime *rt, const char *id, runtime_answer_fn answer, void *userdata);
    /* Calls 'on_data' and 'on_end' only from the event loop. The job is valid until 'on_end' is called. */
    struct runtime_job *(*logs)(struct runtime *rt, const char *id, const struct runtime_log_options *options,
                                runtime_log_data_fn on_data, runtime_log_end_fn on_end, void *userdata);
    /* Starts the delivery of events, until unwatch: the runtime calls on_flow when events begin to arrive,
     * and then on_event for each. */
    void (*watch)(struct runtime *rt);
    void (*unwatch)(struct runtime *rt);
};

/* The first member of each implementation's struct. */
struct runtime {
    const struct runtime_ops *ops;
    runtime_event_fn on_event;
    runtime_flow_fn on_flow;
    void *watch_userdata; /* of on_event and on_flow */
};

/* An operation in progress; the first member of the implementations' structs. */
struct runtime_job {
    /* Ends the job without a further callback, and frees it. */
    void (*cancel)(struct runtime_job *job);
    /* Only for logs: pauses the data until resume. May be called from on_data. */
    void (*pause)(struct runtime_job *job);
    void (*resume)(struct runtime_job *job);
};

static inline void runtime_job_cancel(struct runtime_job *job)
{
    if (job)
        job->cancel(job);
}

void runtime_free(struct runtime *rt);

/* Calls 'answer' with an empty result, or with the error 'e' when 'e' contains one. */
void runtime_answer(runtime_answer_fn answer, void *userdata, const struct error *e);

void driver_container_free(struct driver_container *c);
void driver_image_free(struct driver_image *i);
void driver_info_done(struct driver_info_out *info);
void driver_event_done(struct driver_event *event);

DEFINE_CLEANUP(struct driver_container *, driver_container_free);
DEFINE_CLEANUP(struct driver_image *, driver_image_free);
#define _cleanup_driver_container_ _cleanup_(cleanup_driver_container_free)
#define _cleanup_driver_image_     _cleanup_(cleanup_driver_image_free)

/* The null runtime: containers that are only written down. For tests, and for many replicas on a small
 * machine.
 *
 * One file per container in its state directory, so that it survives a restart of the driver as a real
 * runtime would: kill tests mean something. What a container does is told by its image's name
 * (behaviour.h). */
#pragma once

#include <systemd/sd-event.h>

#include "container-driver/runtime.h"
#include "lib/loop/timer.h"

struct null;
struct null_container;
struct null_log;

/* 'directory' exists and is ours to write. */
int null_new(sd_event *event, const struct settings *settings, const char *directory, struct runtime **ret,
             struct error *e);

struct null_container {
    struct null *null;
    struct null_container *next;
    char *tree;                 /* value of its label; NULL for one that is not ours */
    struct driver_container *c; /* 'ours' and 'owner' are worked out at each answer */
    struct timer timer;         /* what it does next by itself: exits, is restarted */
};

struct null_image {
    char *reference; /* canonical */
    char *id;
};

struct null {
    struct runtime rt;
    sd_event *event;
    const struct settings *settings;
    char *directory;
    struct null_container *containers;
    struct null_image *images;
    size_t n_images;
    struct null_log *logs; /* being followed */
    bool watched;
};

/* store.c: files. Written without fsync: nothing here is worth a disk's time. */
int null_load(struct null *n, struct error *e);
int null_save(const struct null_container *k, struct error *e);
void null_forget(struct null_container *k); /* frees it, and removes its file */
void null_container_free(struct null_container *k);
int null_save_images(const struct null *n, struct error *e);

/* image.c */
struct null_image *null_find_image(struct null *n, const char *reference, struct error *e);
/* The reference that stands behind an image given by name or id, for its behaviour. */
const char *null_image_words(struct null *n, const char *image);
void null_image_inspect(struct runtime *rt, const char *reference, runtime_answer_fn answer, void *userdata);
void null_image_list(struct runtime *rt, runtime_answer_fn answer, void *userdata);
struct runtime_job *null_image_pull(struct runtime *rt, const char *reference, runtime_answer_fn answer,
                                    void *userdata);

/* life.c: start, stop, exits and restarts. */
void null_start(struct runtime *rt, const char *id, runtime_answer_fn answer, void *userdata);
void null_stop(struct runtime *rt, const char *id, int64_t timeout_msec, runtime_answer_fn answer,
               void *userdata);
/* After the driver's own restart: what was running goes on. */
void null_resume(struct null_container *k);

/* logs.c */
struct runtime_job *null_logs(struct runtime *rt, const char *id, const struct runtime_log_options *options,
                              runtime_log_data_fn on_data, runtime_log_end_fn on_end, void *userdata);
/* The container ended: those who follow it read so. */
void null_logs_ended(struct null_container *k);

/* null.c */
struct null_container *null_find(struct null *n, const char *id_or_name);
void null_event(struct null_container *k, const char *action);
/* The error for an id that is not there. */
int null_no_container(const char *id, struct error *e);

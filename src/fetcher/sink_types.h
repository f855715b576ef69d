/* Declares what sink.c (the loop's side), sink_thread.c and verify.c share. */
#pragma once

#include <pthread.h>

#include "fetcher/facts.h"
#include "fetcher/sink.h"
#include "fetcher/verify.h"

#define SINK_RING_SIZE  ((size_t)1024 * 1024)
#define SINK_CHUNK_SIZE ((size_t)256 * 1024)

struct sink {
    struct sink_options options;
    int fd;
    struct digest digest;
    uint64_t pushed; /* the kernel was told to write back the bytes up to here */
    uint8_t *buffer; /* SINK_CHUNK_SIZE bytes */
    pthread_t thread;
    int event_fd;
    sd_event_source *source;
    void (*on_stopped)(void *userdata);
    void *on_stopped_userdata;

    pthread_mutex_t mutex; /* protects the members below */
    pthread_cond_t changed;
    uint8_t *ring;
    size_t first, filled;
    uint64_t position; /* received bytes, including those in the ring */
    char *facts;       /* of a restart that the thread has not carried out yet */
    bool restart;
    uint64_t prefix_end; /* the bytes of an earlier process end here; the thread hashes them first */
    int copy_fd;
    bool ended, verifying, want_room;
    bool stop; /* the thread shall stop */
    bool over; /* the thread is about to return */
    int result;
    struct error error;
};

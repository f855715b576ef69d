/* A container's two output streams on one: Docker's frames of eight bytes (stream, three zeros, length
 * big-endian) and data. So the driver's Logs method sends them, whatever the runtime. */
#pragma once

#include "lib/basic/error.h"

enum { LOG_STREAM_OUT = 1, LOG_STREAM_ERROR = 2 };
#define LOG_FRAME_HEADER 8
/* Docker cuts at 16 KiB; more than this is no log. */
#define LOG_FRAME_MAX ((uint32_t)16 << 20)

/* Zeroed at the start. */
struct log_frames {
    uint8_t header[LOG_FRAME_HEADER];
    size_t n_header;
    uint32_t left; /* bytes of the frame at hand that are still to come */
    int stream;
};

/* A piece of one stream's bytes; negative errno stops. */
typedef int (*log_piece_fn)(int stream, const void *data, size_t size, void *userdata);

/* Takes frames apart, in pieces as they come. Fails (EPROTO) on what is no frame; 'on_piece' may be NULL to
 * check alone. Streams other than 1 and 2 are Docker's own words (0: input, 3: errors of the daemon) and are
 * handed on as 2. */
int log_frames_feed(struct log_frames *f, const void *data, size_t size, log_piece_fn on_piece,
                    void *userdata, struct error *e);

/* Whether nothing is half read: at the end of a stream, true means that nothing was cut off. */
bool log_frames_at_boundary(const struct log_frames *f);

/* The header of a frame, for output that has none (containers with a terminal). */
void log_frame_header(int stream, uint32_t size, uint8_t ret[LOG_FRAME_HEADER]);

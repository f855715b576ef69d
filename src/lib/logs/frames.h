/* Reads and writes a container's two output streams as one, in Docker's frames: a header of eight bytes
 * (stream, three zeros, length big-endian) and data. The driver's method Logs sends them for every
 * runtime. */
#pragma once

#include "lib/basic/error.h"

enum { LOG_STREAM_OUT = 1, LOG_STREAM_ERROR = 2 };
#define LOG_FRAME_HEADER 8
/* bytes; Docker cuts at 16 KiB, and a larger frame is refused */
#define LOG_FRAME_MAX ((uint32_t)16 << 20)

/* State of a reader. Initialise it with zeros. */
struct log_frames {
    uint8_t header[LOG_FRAME_HEADER];
    size_t n_header;
    uint32_t left; /* bytes of the current frame that are not received yet */
    int stream;
};

/* Receives a piece of one stream's bytes; a negative errno stops the reading. */
typedef int (*log_piece_fn)(int stream, const void *data, size_t size, void *userdata);

/* Splits frames and passes their data on in pieces as received. Returns −EPROTO for data that is not a
 * frame. 'on_piece' may be NULL: then the data is only checked. Streams other than 1 and 2 are Docker's
 * own messages (0: input, 3: errors of the daemon) and are passed on as 2. */
int log_frames_feed(struct log_frames *f, const void *data, size_t size, log_piece_fn on_piece,
                    void *userdata, struct error *e);

/* Reports whether no frame is partly read: true at the end of a stream means that nothing was cut off. */
bool log_frames_at_boundary(const struct log_frames *f);

/* Writes the header of a frame, for output without frames (containers with a terminal). */
void log_frame_header(int stream, uint32_t size, uint8_t ret[LOG_FRAME_HEADER]);

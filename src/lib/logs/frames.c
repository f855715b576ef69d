/* Implements frames.h. Format: Docker Engine API, "Attach to a container", stream format. */
#include "lib/logs/frames.h"

#include <errno.h>

static int take_header(struct log_frames *f, struct error *e)
{
    const uint8_t *h = f->header;
    uint32_t size = (uint32_t)h[4] << 24 | (uint32_t)h[5] << 16 | (uint32_t)h[6] << 8 | h[7];
    if (h[0] > 3 || h[1] || h[2] || h[3] || size > LOG_FRAME_MAX)
        return error_fail(e, EPROTO, "the log is not in frames: a header begins with %02x %02x %02x %02x",
                          h[0], h[1], h[2], h[3]);
    f->stream = h[0] == LOG_STREAM_OUT ? LOG_STREAM_OUT : LOG_STREAM_ERROR;
    f->left = size;
    f->n_header = 0;
    return 0;
}

int log_frames_feed(struct log_frames *f, const void *data, size_t size, log_piece_fn on_piece,
                    void *userdata, struct error *e)
{
    const uint8_t *at = data;
    while (size > 0) {
        if (f->left == 0) {
            f->header[f->n_header++] = *at++;
            size--;
            int r = f->n_header == LOG_FRAME_HEADER ? take_header(f, e) : 0;
            if (r < 0)
                return r;
            continue;
        }
        size_t n = size < f->left ? size : f->left;
        int r = on_piece ? on_piece(f->stream, at, n, userdata) : 0;
        if (r < 0)
            return r;
        f->left -= (uint32_t)n;
        at += n;
        size -= n;
    }
    return 0;
}

bool log_frames_at_boundary(const struct log_frames *f)
{
    return f->left == 0 && f->n_header == 0;
}

void log_frame_header(int stream, uint32_t size, uint8_t ret[LOG_FRAME_HEADER])
{
    memcpy(ret,
           (uint8_t[LOG_FRAME_HEADER]){(uint8_t)stream, 0, 0, 0, (uint8_t)(size >> 24), (uint8_t)(size >> 16),
                                       (uint8_t)(size >> 8), (uint8_t)size},
           LOG_FRAME_HEADER);
}

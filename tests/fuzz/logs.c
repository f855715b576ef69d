/* Fuzzes the frames of a container's output: whatever pieces they come in, the same bytes come out. */
#include "fuzz.h"
#include "lib/logs/frames.h"

struct output {
    char *data;
    size_t size;
};

static int on_piece(int stream, const void *data, size_t size, void *userdata)
{
    struct output *out = userdata;
    must(stream == LOG_STREAM_OUT || stream == LOG_STREAM_ERROR);
    out->data = realloc(out->data, out->size + 2 * size + 1);
    must(out->data);
    for (size_t i = 0; i < size; i++) {
        out->data[out->size++] = (char)stream;
        out->data[out->size++] = ((const char *)data)[i];
    }
    return 0;
}

static int feed(const uint8_t *data, size_t size, size_t piece, struct output *out, bool *boundary)
{
    struct log_frames frames = {.left = 0};
    struct error e = ERROR_INIT;
    int r = 0;
    for (size_t at = 0; at < size && r >= 0; at += piece)
        r = log_frames_feed(&frames, data + at, size - at < piece ? size - at : piece, on_piece, out, &e);
    must(r >= 0 || *e.message);
    *boundary = r >= 0 && log_frames_at_boundary(&frames);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct output whole = {NULL, 0}, bytes = {NULL, 0};
    bool whole_ends, bytes_end;
    int a = feed(data, size, size ? size : 1, &whole, &whole_ends),
        b = feed(data, size, 1, &bytes, &bytes_end);
    must(a == b && whole_ends == bytes_end);
    must(whole.size == bytes.size && (whole.size == 0 || memcmp(whole.data, bytes.data, whole.size) == 0));
    free(whole.data);
    free(bytes.data);
    return 0;
}

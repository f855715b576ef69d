/* Implements download_zone.h: requests several chunks at a time over one connection and writes them in order.
 *
 * A partial file is identified by the package's checksum and the size of its chunks, so that it can be
 * resumed from any zone host. The memory is limited by the chunks in transfer, whatever the size of the
 * package. */
#include "fetcher/download_zone.h"

#include <errno.h>
#include <stdlib.h>

#include "fetcher/download_report.h"
#include "fetcher/zone.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/inapi/package.pb-c.h"
#include "lib/inapi/zone.pb-c.h"
#include "lib/package/chunk.h"

#define CHUNK_TIMEOUT  (60 * USEC_PER_SEC)  /* as the original agent */
#define CHUNK_SIZE_MAX ((int64_t)16 << 20)  /* maximum that a response of a zone host can contain */
#define WINDOW         4                    /* chunks in transfer */
#define WINDOW_BYTES   ((uint64_t)32 << 20) /* limit of their bytes; large chunks are fewer */

struct slot {
    struct download *download;
    struct zone_request *request; /* NULL: not requested, or received */
    int64_t index;
    uint8_t *data; /* received and not completely written yet */
    size_t size, written;
};

struct zone_transfer {
    struct zone_client *client;
    struct slot slots[WINDOW];
    int64_t chunk_size; /* 0: not known yet */
    int64_t next_ask, next_write, n_chunks;
};

/* Returns the size of the chunks in the form in which the facts store it. The caller frees it. */
static char *chunks_text(int64_t chunk_size)
{
    return xasprintf("chunk-size=%lld", (long long)chunk_size);
}

static int64_t chunks_parse(const char *text)
{
    const char *number = text ? after_prefix(text, "chunk-size=") : NULL;
    int64_t size;
    return number && parse_int64(number, 1, CHUNK_SIZE_MAX, &size) >= 0 ? size : 0;
}

void download_zone_stop(struct download *d)
{
    struct zone_transfer *t = TAKE_PTR(d->zone);
    if (!t)
        return;
    for (size_t i = 0; i < WINDOW; i++) {
        zone_request_cancel(t->slots[i].request);
        free(t->slots[i].data);
    }
    fetcher_zone_give(d->fetcher, t->client);
    free(t);
}

static uint64_t chunk_bytes(const struct download *d, int64_t index)
{
    uint64_t begin = (uint64_t)index * (uint64_t)d->zone->chunk_size, left = d->total - begin;
    return left < (uint64_t)d->zone->chunk_size ? left : (uint64_t)d->zone->chunk_size;
}

static void on_chunk(const ProtobufCMessage *answer, const struct error *e, void *userdata);

static void ask_for(struct download *d, struct slot *slot, int64_t index)
{
    Inapi__PackageChunkRequest request = INAPI__PACKAGE_CHUNK_REQUEST__INIT;
    request.id = d->package->id;
    request.index = index;
    const struct zone_ask ask = {.path = "/inapi.ZoneInternalService/PackageChunk",
                                 .message = &request.base,
                                 .answer = &inapi__package_chunk_response__descriptor,
                                 .memory_max = (size_t)CHUNK_SIZE_MAX + ((size_t)4 << 20),
                                 .timeout_usec = CHUNK_TIMEOUT,
                                 .on_answer = on_chunk,
                                 .userdata = slot};
    *slot = (struct slot){.download = d, .index = index};
    slot->request = zone_call(d->zone->client, &ask);
}

/* Requests as many chunks as the window allows. */
static void ask_more(struct download *d)
{
    struct zone_transfer *t = d->zone;
    unsigned most = WINDOW;
    while (most > 1 && most * (uint64_t)t->chunk_size > WINDOW_BYTES)
        most--;
    for (size_t i = 0; i < most && t->next_ask < t->n_chunks; i++)
        if (!t->slots[i].request && !t->slots[i].data)
            ask_for(d, &t->slots[i], t->next_ask++);
}

static struct slot *find_arrived(struct zone_transfer *t, int64_t index)
{
    for (size_t i = 0; i < WINDOW; i++)
        if (t->slots[i].data && t->slots[i].index == index)
            return &t->slots[i];
    return NULL;
}

/* Writes the received chunks that are next in order, as far as the ring has space. */
static void write_due(struct download *d)
{
    struct zone_transfer *t = d->zone;
    struct slot *slot;
    while ((slot = find_arrived(t, t->next_write))) {
        size_t n = slot->size - slot->written, room = sink_room(d->sink);
        n = n < room ? n : room;
        if (n == 0)
            /* The sink calls download_zone_room() when the ring has space. */
            return;
        sink_write(d->sink, slot->data + slot->written, n);
        slot->written += n;
        if (slot->written < slot->size)
            /* The sink notifies only after sink_room() has found a ring that is nearly full. */
            continue;
        free(slot->data);
        *slot = (struct slot){.index = -1};
        t->next_write++;
    }
    if (t->next_write == t->n_chunks) {
        download_zone_stop(d);
        download_finish(d);
    } else {
        ask_more(d);
    }
}

void download_zone_room(struct download *d)
{
    if (d->zone && d->zone->chunk_size > 0)
        write_due(d);
}

/* Sets the chunk at which writing continues; a previous process may have been killed within it. */
static void begin_at(struct download *d, uint64_t position)
{
    struct zone_transfer *t = d->zone;
    t->n_chunks = (int64_t)((d->total + (uint64_t)t->chunk_size - 1) / (uint64_t)t->chunk_size);
    t->next_write = t->next_ask = (int64_t)(position / (uint64_t)t->chunk_size);
}

static int check_file(const struct download *d, const Inapi__PackageFile *f, struct error *e)
{
    if (!f)
        return error_fail(e, EBADMSG, "the zone's response does not describe the file of the chunk");
    if (!streq(f->state, "complete"))
        return error_retry(e, EAGAIN, "the package is not complete in the zone (%.20s)", f->state);
    if (f->size <= 0 || f->chunk_size <= 0 || f->chunk_size > CHUNK_SIZE_MAX)
        return error_fail(e, EBADMSG, "the zone has %lld bytes in chunks of %lld", (long long)f->size,
                          (long long)f->chunk_size);
    if (d->package->size > 0 && f->size != d->package->size)
        return error_fail(e, EBADMSG, "the zone has %lld bytes, the package %lld", (long long)f->size,
                          (long long)d->package->size);
    if ((uint64_t)f->size > d->fetcher->settings.size_max)
        return error_fail(e, EFBIG, "it is larger than %llu bytes ([fetcher] max_size)",
                          (unsigned long long)d->fetcher->settings.size_max);
    return 0;
}

static int check_chunk(const struct download *d, const struct slot *slot, const Inapi__PackageFileChunk *c,
                       struct error *e)
{
    const char *host = zone_client_host(d->zone->client);
    if (!c || c->index != slot->index)
        return error_retry(e, EBADMSG,
                           "%s: the response has another chunk than number %lld, which was asked for", host,
                           (long long)slot->index);
    uint64_t wanted = chunk_bytes(d, slot->index);
    if (c->data.len != wanted)
        return error_retry(e, EBADMSG, "%s: chunk %lld has %zu bytes, and not %llu", host,
                           (long long)slot->index, c->data.len, (unsigned long long)wanted);
    uint32_t sum = chunk_crc32(c->data.data, c->data.len);
    if (sum != c->crc32)
        return error_retry(e, EBADMSG, "%s: chunk %lld has CRC %08x, and not %08x", host,
                           (long long)slot->index, sum, c->crc32);
    return 0;
}

/* Learns from the first response how the package is divided, and starts the partial file. */
static void learn(struct download *d, const Inapi__PackageFile *f)
{
    _cleanup_free_ char *url = repository_file_name(d->repository, d->file),
                        *chunks = chunks_text(f->chunk_size);
    facts_done(&d->facts);
    d->facts = (struct facts){.url = TAKE_PTR(url),
                              .etag = TAKE_PTR(chunks),
                              .sha256 = xstrdup_null(d->package->sha256),
                              .checksum = xstrdup_null(d->package->checksum),
                              .size = f->size};
    d->total = (uint64_t)f->size;
    d->zone->chunk_size = f->chunk_size;
    d->pieced = false;
    sink_restart(d->sink, &d->facts);
    begin_at(d, 0);
    d->zone->next_ask = 1;
}

static void on_chunk(const ProtobufCMessage *answer, const struct error *e, void *userdata)
{
    struct slot *slot = userdata;
    struct download *d = slot->download;
    struct zone_transfer *t = d->zone;
    const Inapi__PackageChunkResponse *r = (const Inapi__PackageChunkResponse *)answer;
    struct error own = ERROR_INIT;
    slot->request = NULL;
    int x = answer ? check_file(d, r->file, &own) : (own = *e, -1);
    if (x >= 0 && t->chunk_size > 0 &&
        (r->file->chunk_size != t->chunk_size || (uint64_t)r->file->size != d->total)) {
        /* The package was uploaded again meanwhile, so the received bytes are useless. */
        download_zone_stop(d);
        download_start_over(d, "the package has another size or other chunks in the zone than before");
        if (d->state == DOWNLOAD_TRANSFERRING)
            download_start_zone(d);
        return;
    }
    if (x >= 0 && t->chunk_size == 0)
        learn(d, r->file);
    if (x >= 0 && (x = check_chunk(d, slot, r->chunk, &own)) < 0)
        zone_client_move_on(t->client);
    if (x < 0) {
        if (own.class == ERROR_REFUSED)
            /* The error is not about the caller's request. */
            own.class = ERROR_FAILED;
        if (own.errnum == EBADMSG && own.class == ERROR_FAILED)
            download_wrong(d, &own);
        else if (own.errnum == EFBIG)
            download_fail(d, &own, true);
        else
            download_try_failed(d, &own, 0);
        return;
    }
    uint64_t begin = (uint64_t)slot->index * (uint64_t)t->chunk_size, position = sink_position(d->sink);
    slot->size = r->chunk->data.len;
    slot->data = xcalloc(slot->size + 1, 1);
    memcpy(slot->data, r->chunk->data.data, slot->size);
    slot->written = slot->index == t->next_write && position > begin ? (size_t)(position - begin) : 0;
    write_due(d);
    download_progress(d);
}

void download_start_zone(struct download *d)
{
    struct error e = ERROR_INIT;
    struct zone_client *client;
    uint64_t position = d->ask_whole ? 0 : sink_position(d->sink);
    int64_t chunk_size = d->ask_whole ? 0 : chunks_parse(d->facts.etag);
    d->ask_whole = false;
    if (fetcher_zone_take(d->fetcher, &client, &e) < 0) {
        download_try_failed(d, &e, 0);
        return;
    }
    d->zone = xcalloc(1, sizeof *d->zone);
    *d->zone = (struct zone_transfer){.client = client};
    if (chunk_size == 0 || d->total == 0) {
        download_say(d, "asking %s", zone_client_host(client));
        ask_for(d, &d->zone->slots[0], 0);
        return;
    }
    d->zone->chunk_size = chunk_size;
    begin_at(d, position);
    download_say(d, "from %s, from byte %llu of %llu on", zone_client_host(client),
                 (unsigned long long)position, (unsigned long long)d->total);
    ask_more(d);
}

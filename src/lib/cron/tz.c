/* Implements tz.h. The files are an image's, which anybody can have written: each count is checked against
 * the size of the file before it is used. */
#include "lib/cron/tz.h"

#include <errno.h>
#include <stdbool.h>

#include "lib/basic/cleanup.h"
#include "lib/cron/tz_rule.h"

#define HEADER_SIZE 44
/* RFC 9636 allows offsets of less than a day, and some hours more. */
#define OFFSET_MAX (26 * 3600)

struct transition {
    int64_t at;
    int32_t offset;
};

struct tz {
    int32_t first; /* the offset before the first transition */
    bool has_rule; /* from the last transition on, else its offset stays */
    struct tz_rule rule;
    size_t n;
    struct transition transitions[]; /* ascending */
};

/* A block of the file: version 1 has one with times of 4 bytes, later versions a second one with 8. */
struct block {
    const uint8_t *data; /* after the header */
    size_t time_size;
    uint32_t utc, standard, leaps, times, types, chars; /* counts of the header */
    uint64_t size;
};

static uint32_t big_endian(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static int64_t read_time(const uint8_t *at, size_t size)
{
    if (size == 4)
        return (int32_t)big_endian(at);
    return (int64_t)((uint64_t)big_endian(at) << 32 | big_endian(at + 4));
}

static int damaged(struct error *e, const char *what)
{
    return error_refuse(e, EINVAL, "the file is damaged: %s", what);
}

static int read_block(const uint8_t *data, size_t size, size_t time_size, struct block *ret, struct error *e)
{
    if (size < HEADER_SIZE || memcmp(data, "TZif", 4) != 0)
        return error_refuse(e, EINVAL, "this is no file of the zone database");
    struct block block = {.data = data + HEADER_SIZE, .time_size = time_size};
    uint32_t *counts[] = {&block.utc,   &block.standard, &block.leaps,
                          &block.times, &block.types,    &block.chars};
    for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
        *counts[i] = big_endian(data + 20 + 4 * i);
    block.size = (uint64_t)block.times * (time_size + 1) + (uint64_t)block.types * 6 + block.chars +
                 (uint64_t)block.leaps * (time_size + 4) + block.standard + block.utc;
    if (block.size > size - HEADER_SIZE)
        return damaged(e, "it is shorter than its header states");
    *ret = block;
    return 0;
}

static int fill(const struct block *block, struct tz *tz, struct error *e)
{
    const uint8_t *times = block->data, *indexes = times + block->times * block->time_size;
    const uint8_t *types = indexes + block->times;
    if (block->types == 0)
        return damaged(e, "it has no local time");
    if (block->leaps > 0)
        return error_refuse(e, EINVAL, "its times count leap seconds, which the system's clock does not");
    for (uint32_t i = 0; i < block->types; i++) {
        int32_t offset = (int32_t)big_endian(types + 6 * i);
        if (offset < -OFFSET_MAX || offset > OFFSET_MAX)
            return damaged(e, "a local time is more than a day from UTC");
    }
    tz->first = (int32_t)big_endian(types);
    for (uint32_t i = 0; i < block->times; i++) {
        struct transition *transition = &tz->transitions[i];
        if (indexes[i] >= block->types)
            return damaged(e, "a transition has no local time");
        transition->at = read_time(times + i * block->time_size, block->time_size);
        transition->offset = (int32_t)big_endian(types + 6 * (size_t)indexes[i]);
        if (i > 0 && transition->at <= transition[-1].at)
            return damaged(e, "its transitions are not in order");
    }
    tz->n = block->times;
    return 0;
}

/* Reads the rule between two line ends after the second block. */
static int read_footer(const char *data, size_t size, struct tz *tz, struct error *e)
{
    const char *end = size > 1 && data[0] == '\n' ? memchr(data + 1, '\n', size - 1) : NULL;
    if (!end)
        return damaged(e, "its last line is missing");
    _cleanup_free_ char *text = xstrndup(data + 1, (size_t)(end - data - 1));
    if (!*text)
        return 0;
    int r = tz_rule_parse(text, &tz->rule, e);
    tz->has_rule = r == 0;
    return r;
}

int tz_parse_file(const char *data, size_t size, struct tz **ret, struct error *e)
{
    const uint8_t *bytes = (const uint8_t *)data;
    struct block block;
    int r = read_block(bytes, size, 4, &block, e);
    if (r < 0)
        return r;
    bool later = bytes[4] >= '2';
    if (later) {
        size_t skip = HEADER_SIZE + (size_t)block.size;
        r = read_block(bytes + skip, size - skip, 8, &block, e);
        if (r < 0)
            return r;
    }
    struct tz *tz = xcalloc(1, sizeof *tz + block.times * sizeof tz->transitions[0]);
    r = fill(&block, tz, e);
    if (r == 0 && later) {
        const char *footer = (const char *)block.data + block.size;
        r = read_footer(footer, size - (size_t)(footer - data), tz, e);
    }
    if (r < 0) {
        tz_free(tz);
        return r;
    }
    *ret = tz;
    return 0;
}

int tz_parse_rule(const char *text, struct tz **ret, struct error *e)
{
    struct tz_rule rule;
    int r = tz_rule_parse(text, &rule, e);
    if (r < 0)
        return r;
    struct tz *tz = xcalloc(1, sizeof *tz);
    tz->rule = rule;
    tz->has_rule = true;
    *ret = tz;
    return 0;
}

int32_t tz_offset(const struct tz *tz, int64_t t, int64_t *ret_until)
{
    *ret_until = INT64_MAX;
    if (!tz)
        return 0;
    /* The number of transitions until 't'. */
    size_t low = 0, high = tz->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (tz->transitions[middle].at <= t)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < tz->n) {
        *ret_until = tz->transitions[low].at;
        return low == 0 ? tz->first : tz->transitions[low - 1].offset;
    }
    if (tz->has_rule)
        return tz_rule_offset(&tz->rule, t, ret_until);
    return tz->n == 0 ? tz->first : tz->transitions[tz->n - 1].offset;
}

void tz_free(struct tz *tz)
{
    free(tz);
}

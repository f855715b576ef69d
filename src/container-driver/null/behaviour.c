/* Implements behaviour.h. */
#include "container-driver/null/behaviour.h"

#include <stdio.h>

#include "lib/app/reference.h"

struct null_behaviour null_behaviour_of(const char *text)
{
    struct null_behaviour b = {0};
    _cleanup_image_reference_ struct image_reference *r = NULL;
    if (image_reference_parse(text, &r, NULL) < 0 || r->id)
        return b;
    unsigned code, msec;
    int end = 0;
    b.missing = after_prefix(r->path, "missing/");
    b.pulled = after_prefix(r->path, "pull/");
    b.start_fails = streq(r->path, "null/start-fails");
    if (sscanf(r->path, "null/exit-%3u-after-%7u%n", &code, &msec, &end) == 2 && !r->path[end]) {
        b.exits = true;
        b.exit_after_usec = msec * USEC_PER_MSEC;
    } else if (sscanf(r->path, "null/exit-%3u%n", &code, &end) == 1 && !r->path[end]) {
        b.exits = true;
    }
    if (b.exits)
        b.exit_code = (int)(code & 255);
    const char *volume = after_prefix(r->path, "null/volume-"),
               *anonymous = after_prefix(r->path, "null/anonymous-");
    if (volume)
        snprintf(b.volume, sizeof b.volume, "/%.60s", volume);
    if (anonymous)
        snprintf(b.anonymous, sizeof b.anonymous, "/%.60s", anonymous);
    b.copy_fails = anonymous && streq_null(r->tag, "copy-fails");
    int64_t slow, mib;
    if (streq(r->path, "null/slow") && r->tag && parse_int64(r->tag, 0, 600000, &slow) == 0)
        b.slow_usec = (uint64_t)slow * USEC_PER_MSEC;
    if (streq(r->path, "null/uses") && r->tag && parse_int64(r->tag, 0, 1000000, &mib) == 0)
        b.memory = mib << 20;
    return b;
}

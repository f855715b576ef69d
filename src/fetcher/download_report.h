/* Tells those who wait for a download how it goes, and answers them. */
#pragma once

#include "fetcher/download.h"

/* One more who waits; the answer comes later. */
void download_add_call(struct download *d, struct varlink_call *call);

/* Tells everyone; without a message at most ten times a second. */
void download_say(struct download *d, const char *fmt, ...) _printf_(2, 3);
void download_progress(struct download *d);
/* The final answers. */
void download_answer(struct download *d, const char *path, uint64_t size);
void download_answer_error(struct download *d, const struct error *e);
void download_forget_calls(struct download *d);

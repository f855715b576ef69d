/* Reports the progress and the result of a download to the calls that wait for it. */
#pragma once

#include "fetcher/download.h"

/* Adds a call that waits for the download and gets its reply. */
void download_add_call(struct download *d, struct varlink_call *call);

/* Send the progress to all waiting calls; without a message at most ten times a second. */
void download_say(struct download *d, const char *fmt, ...) _printf_(2, 3);
void download_progress(struct download *d);
/* Send the final replies, or an error, to all waiting calls. download_forget_calls() drops the calls without
 * a reply. */
void download_answer(struct download *d, const char *path, uint64_t size);
void download_answer_error(struct download *d, const struct error *e);
void download_forget_calls(struct download *d);

/* Fuzzes the messages of sd_notify(3) to inagent: what is read of them is bounded and printable, and the
 * watchdog runs only for an application that is ready or asked for its end. */
#include "fuzz.h"
#include "inagent/notify_state.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/printable.h"
#include "lib/basic/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct notify_state state = NOTIFY_STATE_INIT;
    notify_state_began(&state, 5 * USEC_PER_SEC);
    /* Each part up to a NUL is a message, a second after the one before. */
    uint64_t now = USEC_PER_SEC;
    for (size_t at = 0; at < size; now += USEC_PER_SEC) {
        size_t n = strnlen((const char *)data + at, size - at);
        struct notify_message message;
        if (notify_message_parse((const char *)data + at, n, &message)) {
            must(n <= NOTIFY_MESSAGE_MAX && strlen(message.status) <= NOTIFY_STATUS_MAX);
            _cleanup_free_ char *shown = printable(message.status);
            must(streq(shown, message.status));
            must(message.main_pid >= 0 && message.error >= 0 && message.error <= 4095);
            bool before = state.ready;
            must(notify_state_apply(&state, &message, now) == (message.ready && !before));
        }
        must(state.ready || state.triggered || state.watchdog_at == UINT64_MAX);
        if (notify_state_expires(&state, now))
            must(state.expired && !notify_state_expires(&state, now + USEC_PER_SEC));
        at += n + 1;
    }
    int code = size > 0 ? data[0] : 0, was = code;
    bool expired = state.expired, ready = state.ready;
    char *reason = notify_state_ended(&state, &code);
    must((was == 0 && (expired || !ready)) == (was == 0 && code != 0));
    must(state.ready == (ready && code == 0) && !state.runs && state.watchdog_at == UINT64_MAX);
    free(reason);
    return 0;
}
